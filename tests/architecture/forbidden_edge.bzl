"""One rule of the architecture: no target of one kind may reach a target of another."""

def forbidden_edge(name, roots, sources, targets):
    """Generates two query results: a path that breaks the rule, and the targets that the rule is about.

    dependencies_test fails when `<name>.path` is not empty, and when `<name>.sources` is: then the rule guards nothing.

    Args:
      name: says the rule, as in "scheduler_to_grpc".
      roots: what is searched: these targets and all that they reach.
      sources: a regular expression over labels, the targets that must not reach ...
      targets: a regular expression over labels: ... these.
    """
    searched = "deps(set(%s))" % " ".join(roots)
    native.genquery(
        name = name + ".path",
        expression = "somepath(filter('%s', %s), filter('%s', %s))" % (sources, searched, targets, searched),
        scope = roots,
        testonly = True,
    )
    native.genquery(
        name = name + ".sources",
        expression = "filter('%s', %s)" % (sources, searched),
        scope = roots,
        testonly = True,
    )
