"""Where portfolios run, seen and changed from outside: for the command line, HTTP, tests and scripts.

    async with connected(settings) as cluster:
        moved = await migrate(cluster, portfolio_id, "execution_node_002")

`connection` opens it, `plan` reads, `change` decides. Nothing here places anything: decisions are records of `schedule.updates`, and
the group's leader obeys them.
"""
