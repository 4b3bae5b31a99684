"""The eyes of all promises: they see each step and frame once, keep the view of each station, and tell every promise what concerns it.

A promise names what it wants to hear of by its methods, all of which take the view of the station first:

    told_X(view, item)      the core was given an input of type X       did_X(view, effect)    it answered with such an effect
    then_X(view, item)      all effects of that input have been seen    put_k / forgot_k       a record of kind k, in a batch
    sent_A(view, call)      an own call of action A leaves              answered_A(view, call, payload)   its CALLRESULT came
    leaves(view, call, row) so does one that the outbox keeps, with its row of the ledger
    failed_A(view, call, why)   it was refused, or came to nothing      asked_A(view, call)    the CSMS calls
    replied_A(view, call, payload)   the station answers (None: with a CALLERROR)
    boots, boots_done (view), stops (view, cut), ends (view)            a core begins, has begun, is gone; the world is at rest

A in the names of frames may be `any`. Promises judge before the view takes in an effect, and after it took in an input. Nothing of this
is called for what nobody wants to hear of: an idle station must cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hal.disk import Forget, Persist
from sim.checkers import Broken, Checker
from sim.checkers.seen import Call
from sim.checkers.view import View
from station.core.effects import Effect, Input, Restart

if TYPE_CHECKING:
    from sim.world import World
    from station.shell.runner import Unit

Handlers: TypeAlias = tuple[Callable[..., None], ...]
PREFIXES: Final = ("told", "did", "then", "put", "forgot", "sent", "answered", "failed", "asked", "replied")
MOMENTS: Final = ("boots", "boots_done", "stops", "ends")
NOBODY: Final[Handlers] = ()


class Promise(Checker):
    """Base of the promises that see through `Eyes`."""

    def fail(self, view: View, sentence: str) -> Broken:
        return Broken(self.name, f"{view.id}: {sentence}", view.now_ns)


class Eyes(Checker):
    """Itself a promise: nothing that the world does raises out of a core (world.md, Liveness). Armed with every step."""

    name = "nothing raises"

    def __init__(self, promises: Sequence[Promise]) -> None:
        super().__init__()
        self.promises = promises
        self._views: dict[str, View] = {}
        self._tables = {prefix: _table(promises, prefix) for prefix in PREFIXES}
        self._moments = {name: _moment(promises, name) for name in MOMENTS}
        self._told, self._did, self._then = (self._tables[p] for p in ("told", "did", "then"))
        self._put, self._forgot = self._tables["put"], self._tables["forgot"]
        self._leaves = _moment(promises, "leaves")

    # --- steps ---

    def stepped(self, world: World, unit: Unit, item: Input, effects: list[Effect]) -> None:
        self.armed += 1
        view = self._views[unit.id]
        view.now_ns = now_ns = world.clock.mono_ns
        view.effects = effects
        if now_ns > view.due_ns:
            view.due()
        view.item_name = kind = type(item).__name__
        for call, why in view.take(item):
            for handler in self._of("failed", call.action):
                handler(view, call, why)
        for handler in self._told.get(kind, NOBODY):
            handler(view, item)
        if effects:
            self._effects(view, effects)
        for handler in self._then.get(kind, NOBODY):
            handler(view, item)
        if world.bugs:
            raise self.broken(world, f"{unit.id}: a step raised an exception")

    def _effects(self, view: View, effects: list[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            for handler in self._did.get(kind.__name__, NOBODY):
                handler(view, effect)
            if kind is Persist:
                self._batch(view, effect)  # type: ignore[arg-type]
            elif kind is Forget:
                self._forget(view, effect.keys)  # type: ignore[union-attr]
            elif kind is Restart:
                self._stopped(view, False)
            view.did(effect)

    def _batch(self, view: View, batch: Persist) -> None:
        view.batch = batch
        self._forget(view, batch.forgets)
        for record in batch.puts:
            for handler in self._put.get(record.kind, NOBODY):
                handler(view, record.key, record.body)
            view.put(record, batch.ticket)
        view.batch = None

    def _forget(self, view: View, keys: tuple[tuple[str, str], ...]) -> None:
        for kind, key in keys:
            for handler in self._forgot.get(kind, NOBODY):
                handler(view, key)
            view.forgot(kind, key)

    # --- a core's life ---

    def booted(self, world: World, unit: Unit, effects: list[Effect]) -> None:
        view = self._views.get(unit.id)
        if view is None:
            view = self._views[unit.id] = View(world, unit)
        else:
            self._stopped(view, False)
        view.now_ns, view.effects, view.item_name = world.clock.mono_ns, effects, ""
        view.boot(world.disks[unit.id].durable(unit.id))
        self._moment("boots", view)
        self._effects(view, effects)
        self._moment("boots_done", view)

    def cut(self, world: World, unit: Unit) -> None:
        view = self._views[unit.id]
        view.now_ns = world.clock.mono_ns
        self._stopped(view, True)

    def _stopped(self, view: View, cut: bool) -> None:
        if view.running:
            for handler in self._moments["stops"]:
                handler(view, cut)
            view.stopped()

    def settled(self, world: World) -> None:
        if world.bugs:
            raise self.broken(world, "a step raised an exception")
        for view in self._views.values():
            view.now_ns = world.clock.mono_ns
            if view.now_ns > view.due_ns:
                view.due()
            self._moment("ends", view)

    def _moment(self, name: str, view: View) -> None:
        for handler in self._moments[name]:
            handler(view)

    # --- frames ---

    def framed(self, world: World, unit: Unit, out: bool, frame: list[Any]) -> None:
        view = self._views[unit.id]
        view.now_ns = world.clock.mono_ns
        kind, number = (frame[0], frame[1]) if len(frame) > 1 else (0, None)
        if type(number) is not str:
            return
        if kind == 2:
            if len(frame) > 3 and type(frame[2]) is str and type(frame[3]) is dict:
                (self._call_out if out else self._called)(view, Call(number, frame[2], frame[3], view.now_ns))
        elif kind == 3 or kind == 4:
            payload = _result(frame) if kind == 3 else None
            if not out:
                self._answer(view, number, payload)
            elif kind == 4 or payload is not None:
                self._reply(view, number, payload)

    def _call_out(self, view: View, call: Call) -> None:
        for handler in self._of("sent", call.action):
            handler(view, call)
        row = view.ledger.row(call.id)
        if row is not None:
            for handler in self._leaves:
                handler(view, call, row)
        view.calls_out(call)

    def _called(self, view: View, call: Call) -> None:
        for handler in self._of("asked", call.action):
            handler(view, call)
        view.was_asked(call)

    def _answer(self, view: View, number: str, payload: dict[str, Any] | None) -> None:
        call = view.settled(number, payload is not None)
        if call is None:
            return
        if payload is None or not call.sound(payload):
            view.failed(call, "refused")
            for handler in self._of("failed", call.action):
                handler(view, call, "refused")
            return
        view.answered(call, payload)
        for handler in self._of("answered", call.action):
            handler(view, call, payload)

    def _reply(self, view: View, number: str, payload: dict[str, Any] | None) -> None:
        call = view.asked_of(number)
        action = call.action if call is not None else ""
        for handler in self._of("replied", action):
            handler(view, call or Call(number, "", {}, view.now_ns), payload)
        if call is not None:
            view.replied(call, payload)

    def _of(self, prefix: str, action: str) -> Handlers:
        table = self._tables[prefix]
        handlers = table.get(action)
        if handlers is None:
            handlers = table[action] = table.get("any", NOBODY)
        return handlers


def _result(frame: list[Any]) -> dict[str, Any] | None:
    """The payload of a CALLRESULT; nothing, null and an empty list are what some write for an empty object."""
    told = frame[2] if len(frame) > 2 else None
    return told if type(told) is dict else {} if told is None or told == [] else None


def _moment(promises: Sequence[Promise], name: str) -> Handlers:
    return tuple(getattr(p, name) for p in promises if hasattr(p, name))


def _table(promises: Sequence[Promise], prefix: str) -> dict[str, Handlers]:
    """Handlers by what they want to hear of; those for `any` are in every row."""
    table: dict[str, Handlers] = {}
    names = sorted({name for p in promises for name in dir(p) if name.startswith(f"{prefix}_")})
    for name in names:
        wanted = {name, f"{prefix}_any"}
        handlers = [getattr(p, each) for p in promises for each in sorted(wanted) if hasattr(p, each)]
        table[name.removeprefix(f"{prefix}_")] = tuple(handlers)
    return table


def watch(*promises: Promise) -> list[Checker]:
    """The checkers to hand to a world for these promises."""
    return [Eyes(promises), *promises]
