"""What works beside the caller: runs that train in processes and threads, looks inside them, sweeps.

In reading order, as a press on a button goes (`core.commands` declares what can be asked):

- commands: the commands as methods of whoever takes them; inbox: where they wait for their turn.
- driver: carries them out on a session, one optimizer step at a time.
- thread: a driver in a thread of this process. worker: a driver in a process of its own; training: that process's job.
- process: child processes whatever they work at, this side of the pipe and that.
- pool: one worker per run directory, however many hold it. sweep: many runs. inspector: questions about runs.
"""
