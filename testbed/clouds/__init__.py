"""What strict cloud servers on loopback are made of, so that each of them is one small file beside these.

A server's file holds what is the provider's own: its routes, the shapes of its bodies, its words for states and errors,
and at its top which published document it follows. The rest is here: `exchange` (requests, answers, routes, faults),
`server` (HTTP on a free port, who may ask, what goes wrong), `shapes` (bodies checked to the last field), `machines`
(what was made, and when a listing shows it), `paging`, `guards` (tokens, rate limits). Strict means: what the real
API refuses is refused here with its own status and words, and what a document does not promise is not given.
"""
