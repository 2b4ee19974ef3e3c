"""P: the map: a request goes edge → authenticate → endpoints → admit → plan → dispatch → backends → settle → observe.

| stage        | module                    | what it does                                                        |
| ------------ | ------------------------- | ------------------------------------------------------------------- |
| edge         | gateway.edge              | HTTP request → Call; Reply or failure → HTTP answer                 |
| authenticate | gateway.authenticate      | credentials → Caller                                                |
| validate     | gateway.endpoints         | body → Job: what changes the answer apart from how it is shown      |
| admit        | gateway.admit             | holds the caller's limits while the request runs, and settles       |
| plan         | gateway.plan              | stored, copies in the list, missing                                 |
| dispatch     | gateway.dispatch          | who is asked, in which calls, when, and what is done about failures |
| (backends)   | gateway.backends          | wire formats, bytes in and bytes out                                |
| settle       | gateway.settle            | who pays for what; the ledger                                       |
| assemble     | gateway.endpoints         | answers → the reply's bytes                                         |
| observe      | gateway.observe           | facts → metrics and logs                                            |

Below it: `gateway.leasing` holds parts of limits for `admit` and `dispatch`; `gateway.segmenter` cuts texts,
`gateway.classifiers` learns labels, and `gateway.training` keeps what is learnt around a job.
Outgoing HTTP: `gateway.upstream` to addresses of the config, `gateway.fetch` to those that clients name, which
`gateway.guard` judges. `gateway.local_calls` is the line of a call that no backend answers, `gateway.relay` that
of one that passes through, over `gateway.streams`.
Beside the line: `gateway.administration` changes tenants and keys and follows changes, `gateway.notify` tells the
operator's webhooks of thresholds, `gateway.jobs` works off batch jobs through the pipeline; `gateway.ports` is what
all of them need from outside.
Calls that differ from known ones in their texts alone are answered before that line by `gateway.fast`, with its
functions; `gateway.errands` is what both send for what is missing, `gateway.alarm` the one timer of many calls.
Long lists are worked on in turns (`gateway.turns`), so that others are served in between.
`gateway.pipeline` is that line as code; `gateway.app` wires it; `gateway.processes` is the tree that runs it.
"""
