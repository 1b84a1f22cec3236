"""REAL MACHINES ON LOOPBACK: QEMU virtual machines behind a cloud's API, for `make e2e`.

From the ground up: `accelerator` (what QEMU can use here), `seed` (what cloud-init is told), `command` (how QEMU is
called), `machine` (one that runs), `agent` (its side door), `park` (all of one cloud, as its `Hardware`); beside them
`wheels`, `debian` and `images` (what machines boot and install), and `depot` (where they fetch it).
"""
