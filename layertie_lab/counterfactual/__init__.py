"""Did it matter? A decision of a run, both its futures in paired runs (twins), and a verdict between them.

In reading order:

- spec: the fields of a study, each declared once; interim: when replicates that still come in are analysed.
- questions: which decisions of a run can be asked about, and asking it: a study is written down; study: it on disk.
- branch: one future of a decision, step by step (weight_average: its weights averaged); pair: both futures of it on
  common random numbers.
- runner: the replicates of a study in processes; replicates: what such a process trains.
- verdict: the rule, from differences to an outcome; judging: from a study's replicates to its verdict; wording: the
  verdict in words; frames: its numbers for charts.
- extension: a plan that was used up without a verdict, made longer under its error; onward: doing so, and what a new
  hypothesis would take. report, study_page: a study as plain values, and as a page to keep.
- power, forecast: what so many replicates would see, before the effort.
- tree: branches of a run that go on, from any decision.
"""
