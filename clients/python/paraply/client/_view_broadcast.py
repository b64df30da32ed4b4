"""The view that upstream has for many engines. Here every direct call is one message with one payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paraply.client._view_direct import DirectView

if TYPE_CHECKING:
    from paraply.client.client import Client


class BroadcastView(DirectView):
    """A direct view on the engines that there are, and carry its `labels`, when it is made.

    A call on n engines is one message to the scheduler and one stored payload whatever the view.
    """

    __module__ = "paraply.client.view"

    def __init__(self, client: Client, *, targets: Any = "all", is_coalescing: bool = False, **flags: Any) -> None:
        if is_coalescing:
            raise NotImplementedError("coalescing replies (is_coalescing=True) are not built yet")
        super().__init__(client, targets=targets, **flags)
        if not isinstance(targets, int):
            self.targets = self._engines(targets)
        self.is_coalescing = False
