"""Many runs: from one run to an answer that one can defend.

`msgsim.Experiment` makes them and `msgsim.plan` searches with them. What else is here:

- `estimates`: means, quantiles, shares and paired differences with their intervals; `steady_state`: warm-ups by MSER-5,
  and batch means of one long run (`long_run`); `sequential`: replications until a mean is known.
- `objectives`: how `p99(emails.sojourn_time) < 60 and cost < 500` is read and judged.
- `recovery`: what each spike and outage did to a queue, and how long until it was what it was (`recoveries(run,
  "emails")`); `metastability`: whether a system comes back once what disturbed it is gone.
- `closed_forms`: Erlang's formulas, M/G/c, fluid drain; `explanation`: a run beside them, and what they leave out.
- `costs`: what a run and a month like it cost, and what drives the bill (`ledger(run)`); `doctor`: what is likely to go
  wrong (`diagnose(scenario)`), as `msgsim check` says it.
- `executors`: studies on this machine, on Dask and on Ray.
"""
