"""Child processes: one protocol for all that runs beside, be it training, paired runs or looks inside.

- channel: what goes over the pipes.
- parent: this side, whatever the job: requests, answers, notices, the end. link: a started interpreter and its life.
- child: that side; outbox: its way out, which never makes a job wait. answers: a job that answers one request after
  another (`workers.training` is the other).
"""
