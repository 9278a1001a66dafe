"""Functions of the same name as their module: `spitgraph.explain.rollout` is the function.

So it is at run time, as packages import functions over their modules. Griffe, which reads without
running, keeps the module.
"""

from typing import Any

from griffe import Alias, Extension, Module


class Shadowed(Extension):
    """Lets what a package's `__all__` names be what the package imports."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Go through a package that was loaded, and the packages within."""
        for package in [member for member in pkg.members.values() if is_package(member)]:
            exports = {str(name) for name in package.exports or ()}
            for name in exports:  # before anything moves
                member = package.members.get(name)
                if isinstance(member, Alias):
                    member.resolve_target()
            for name in exports:
                member = package.members.get(name)
                if isinstance(member, Module) and name in member.members:
                    shadowing = Alias(name, member.members[name], parent=package)
                    shadowing.public = True
                    package.members[name] = shadowing


def is_package(member: Any) -> bool:
    """Whether a member of a package is a package itself."""
    return isinstance(member, Module) and member.is_init_module
