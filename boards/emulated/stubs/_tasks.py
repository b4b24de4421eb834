"""asyncio's tasks and queue on the board's own ticks.

The interpreter's built-in version reads the machine's clock behind the `time` module's back. The
contract is that of MicroPython's extmod/modasyncio.c: what asyncio/core.py uses of it.
"""

from time import ticks_diff, ticks_ms


class TaskQueue:
    """Tasks by the ticks at which they are due; equal ones in the order they came."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        task.data = None
        task.ph_key = ticks_ms() if key is None else key
        tasks = self._tasks
        at = len(tasks)
        while at and ticks_diff(tasks[at - 1].ph_key, task.ph_key) > 0:
            at -= 1
        tasks.insert(at, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """`state` is True while running, a TaskQueue once somebody waits, falsy when done."""

    def __init__(self, coro, scope=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0
        self._scope = scope

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif type(self.state) is not TaskQueue:
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data  # pyright: ignore[reportGeneralTypeIssues]
        current = self._scope["cur_task"]
        self.state.push(current)  # pyright: ignore[reportAttributeAccessIssue]
        current.data = self

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        scope = self._scope
        if self is scope["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        if hasattr(task.data, "remove"):
            task.data.remove(task)  # pyright: ignore[reportAttributeAccessIssue]
            scope["_task_queue"].push(task)
        elif ticks_diff(task.ph_key, ticks_ms()) > 0:
            scope["_task_queue"].remove(task)
            scope["_task_queue"].push(task)
        task.data = scope["CancelledError"]
        return True
