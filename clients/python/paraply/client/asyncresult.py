"""Results that may not be here yet."""

from paraply.client._hubresult import AsyncHubResult
from paraply.client._mapresult import AsyncMapResult
from paraply.client._reply import ExecuteReply
from paraply.client._result import AsyncResult

__all__ = ["AsyncHubResult", "AsyncMapResult", "AsyncResult", "ExecuteReply"]
