"""Views: handles on some engines of a cluster. Get them from a client: `rc[:]`, `rc.load_balanced_view()`."""

from paraply.client._executor import ViewExecutor
from paraply.client._lazy_map import LazyMapIterator
from paraply.client._view_balanced import LoadBalancedView
from paraply.client._view_base import View
from paraply.client._view_broadcast import BroadcastView
from paraply.client._view_direct import DirectView

__all__ = ["BroadcastView", "DirectView", "LazyMapIterator", "LoadBalancedView", "View", "ViewExecutor"]
