"""Many runs: from one run to an answer that one can defend."""
