"""What a run's records say of its health: signals with onset, arithmetic, the rows that show it, a remedy and a source.

`reading` makes a `Record` of what the store has, in columns; a signal is a function of it; `examination` puts all of them to a
run. A signal is a reason to look, not a verdict. Only reads.
"""
