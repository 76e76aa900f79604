"""A run as one page for people who were not there: self-contained, with no scripts and nothing to fetch."""

from html import escape

from msgsim.declare import MINUTE
from msgsim.errors import DeclarationError
from msgsim.files import examples, load
from msgsim.formats import UNTITLED, one_line, release
from msgsim.plot import figure
from msgsim.run import Run
from msgsim.simulation import PROBES
from msgsim.summary import STYLE, content

FILE = "scenario.toml"
"""Where the page tells its reader to save the scenario."""

PAGE_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1.5em}
h1{font-size:1.7em;margin:0}h2{font-size:1.2em;margin:2em 0 .5em}
section{overflow-x:auto}
figure{background:#fff;border-radius:8px;margin:0;padding:12px;break-inside:avoid}
figure svg{width:100%;height:auto;display:block}
pre{border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:10px 14px;overflow-x:auto}
pre,code{font-size:12px;line-height:1.4}
.msgsim{font-size:14px}.msgsim .msgsim-facts{margin-top:.3em}
footer{margin:3em 0 1em;opacity:.7}
@media print{
:root{color-scheme:light}
body{max-width:none;margin:0;padding:0;font-size:10pt}
section{overflow:visible}.msgsim{font-size:8pt}.msgsim th,.msgsim td{padding-right:8px}
table,.msgsim-tiles,section:last-of-type{break-inside:avoid}h2{break-after:avoid}figure{padding:0}
pre{white-space:pre-wrap;font-size:8pt}
}
"""


def page(run: Run) -> str:
    """The page: summary, pictures, scenario, and how to make the same run again.

    The same run gives the same page, byte for byte, with the same version of Matplotlib.
    """
    title = escape(one_line(run.scenario.title) or UNTITLED)
    description = "".join(f"<p>{escape(part)}</p>" for part in run.scenario.description.split("\n\n") if part.strip())
    scenario, source = _scenario(run)
    picture = figure(run)
    picture.suptitle("")
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}{PAGE_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1>{description}</header>\n"
        f"<section class='msgsim'>{content(run)}</section>\n"
        "<section><h2>Over time</h2>"
        f"<figure role='img' aria-label='The run over time'>{picture.as_svg()}</figure></section>\n"
        f"<section><h2>Scenario</h2>{scenario}</section>\n"
        f"<section><h2>Make this run again</h2>{_again(run, source)}</section>\n"
        f"<footer>{escape(_made_by())}</footer>\n</body>\n</html>\n"
    )


def _scenario(run: Run) -> tuple[str, str | None]:
    """The scenario as HTML, and where to load it from: a built-in example's name or `FILE`; None for nowhere."""
    try:
        shown = f"<pre>{escape(run.scenario.to_toml())}</pre>"
    except DeclarationError as error:
        return f"<p>This scenario cannot be written as a file: {escape(str(error))}.</p>", None
    same = (name for name in examples() if load(name) == run.scenario)
    return shown, next(same, FILE)


def _again(run: Run, source: str | None) -> str:
    """How to make the same run: the command line, if it can say so, and the Python lines."""
    python = _python(run)
    if source is None:
        given = "With <code>scenario</code> as the Python code declares it:"
    else:
        python = f'scenario = ms.load("{source}")\n{python}'
        given = f"The scenario is the built-in example <code>{escape(source)}</code>."
        if source == FILE:
            given = f"Save the scenario above as <code>{FILE}</code>."
    parts = [f"<p>{given}</p>"]
    if source is not None and not run.replication and run.warm_up < run.until:
        parts.append(f"<p>On the command line:</p><pre>{escape(_command(run, source))}</pre><p>In Python:</p>")
    lines = f"import msgsim as ms\n\n{python}"
    parts.append(f"<pre>{escape(lines)}</pre>")
    return "".join(parts)


def _command(run: Run, source: str) -> str:
    parts = [f"msgsim run {source} --until {_number(run.until)} --seed {run.seed}"]
    parts += [f"--{name.replace('_', '-')} {_number(value)}" for name, value in _not_default(run).items()]
    return " ".join(parts)


def _python(run: Run) -> str:
    settings = {"seed": str(run.seed)} | {name: _number(value) for name, value in _not_default(run).items()}
    if run.replication:
        settings["replication"] = str(run.replication)
    given = ", ".join(f"{name}={value}" for name, value in settings.items())
    until = _number(run.until)
    if run.warm_up < run.until:
        return f"run = ms.simulate(scenario, until={until}, {given})"
    return f"simulation = ms.Simulation(scenario, {given})\nsimulation.run(until={until})\nrun = simulation.result()"


def _not_default(run: Run) -> dict[str, float]:
    """What a run of this length would not have of itself [s]."""
    usual = {"warm_up": run.scenario.warm_up, "probe": min(MINUTE, run.until / PROBES)}
    return {name: value for name in usual if (value := getattr(run, name)) != usual[name]}


def _number(value: float) -> str:
    """A number that reads back as exactly the same."""
    return repr(int(value) if value == int(value) else value)


def _made_by() -> str:
    return f"Made by msgsim {release()}".rstrip()
