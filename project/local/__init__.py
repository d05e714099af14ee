"""Everything `./run up` starts on a developer's machine: servers out of wheels, and the supervision of processes.

Nothing here is used in production. `leash` makes sure that no process outlives the one that started it, `server` and
its two implementations are the embedded databases, `stack` puts servers and the Procfile's processes together, and
`up` shows that to a person in a terminal.
"""
