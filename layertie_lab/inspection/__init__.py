"""Looking inside a run at a moment: stored states, probe sets, and the views of them by name.

In reading order: `question` (what is asked), `stored` (which moments there are), `moment` (a run at one of them),
`probe` (which text is looked at), `views/` (a file each), `answer` (from a question to frames, words, pictures and
tables), `comparable` (a second model), `words` and `ticks`.
"""
