"""The queue alone, against fake replicas: what is batched, split, given back and left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from gateway_fakes import eventually, make_card

from gateway.errors import DeadlineError, OverloadedError, ReplicaLostError, ReplicaRejectedError
from gateway.metrics import Metrics
from gateway.ports.serving import Scores, ServedVersion
from gateway.serving.batching import BatchQueue
from gateway.serving.pace import Pace
from gateway.serving.tickets import Answer, Batch

pytestmark = pytest.mark.anyio

ONE = ServedVersion("shades", 1, make_card())
TWO = ServedVersion("shades", 2, make_card())


def a_queue(max_batch: int = 4, max_queued: int = 16) -> BatchQueue:
    return BatchQueue(max_batch, max_queued, Metrics())


def submit(
    queue: BatchQueue, *images: bytes, served: ServedVersion = ONE, seconds: float = 20
) -> asyncio.Task[Answer]:
    deadline = asyncio.get_running_loop().time() + seconds
    return asyncio.create_task(queue.submit(served, images, deadline))


def echo(batch: Batch) -> Scores:
    """Each image's bytes as its row."""
    return Scores(batch.served.version, [list(image) for image in batch.images])


async def queued(queue: BatchQueue, images: int) -> None:
    await eventually(lambda: queue.queued_images == images)


async def test_waiting_requests_form_one_batch_and_each_gets_its_own_rows() -> None:
    """Three requests that wait are pulled together and answered separately."""
    queue = a_queue()
    requests = [submit(queue, b"\x01"), submit(queue, b"\x02", b"\x03"), submit(queue, b"\x04")]
    await queued(queue, 4)
    batch = await queue.take()
    assert batch.images == [b"\x01", b"\x02", b"\x03", b"\x04"]
    batch.deliver(echo(batch))
    rows = [(await request).rows for request in requests]
    assert rows == [[[1]], [[2], [3]], [[4]]]
    assert queue.queued_images == 0


async def test_a_batch_belongs_to_one_version_and_versions_take_turns() -> None:
    """Images of two versions never share a call; a busy version does not starve the other."""
    queue = a_queue(max_batch=2)
    for served, image in [(ONE, b"a"), (ONE, b"b"), (ONE, b"c"), (TWO, b"x"), (ONE, b"d")]:
        submit(queue, image, served=served)
    await queued(queue, 5)
    batches = [await queue.take() for _ in range(3)]
    pulled = [(batch.served.version, batch.images) for batch in batches]
    assert pulled == [(1, [b"a", b"b"]), (2, [b"x"]), (1, [b"c", b"d"])]
    for batch in batches:
        batch.deliver(echo(batch))


async def test_a_large_request_is_spread_and_its_rows_come_back_in_order() -> None:
    """Seven images in batches of three, answered in another order than they were pulled."""
    queue = a_queue(max_batch=3)
    images = [bytes([number]) for number in range(7)]
    request = submit(queue, *images)
    await queued(queue, 7)
    batches = [await queue.take() for _ in range(3)]
    for batch in reversed(batches):
        batch.deliver(echo(batch))
    assert (await request).rows == [[number] for number in range(7)]


async def test_no_batch_takes_more_than_its_share_of_what_is_under_way() -> None:
    """Of 60 images that two calls may hold, each takes a third; 16 and fewer go together."""
    queue = a_queue(max_batch=64, max_queued=64)
    requests = [submit(queue, bytes([number])) for number in range(60)]
    await queued(queue, 60)
    batches = [await queue.take(calls_at_once=2) for _ in range(3)]
    assert [len(batch.images) for batch in batches] == [20, 20, 20]
    for batch in batches:
        batch.deliver(echo(batch))
    assert [(await request).rows for request in requests] == [[[number]] for number in range(60)]
    few = [submit(queue, bytes([number])) for number in range(17)]
    await queued(queue, 17)
    batch = await queue.take(calls_at_once=2)
    assert len(batch.images) == 16
    batch.deliver(echo(batch))
    for request in few[16:]:
        request.cancel()


async def test_a_newcomer_that_could_not_be_answered_in_time_is_refused_at_once() -> None:
    """When the oldest has waited for a third of its time; who is queued stays, and pulling makes room."""
    queue = a_queue()
    first = submit(queue, b"1")
    await queued(queue, 1)
    ticket = queue._lines[ONE][0].ticket
    ticket.entered_at -= 1.0
    with pytest.raises(OverloadedError, match=r"1 images are waiting, the oldest for 1\.0 s"):
        await submit(queue, b"2", seconds=1.9)
    patient = submit(queue, b"3", seconds=20)
    await queued(queue, 2)
    batch = await queue.take()
    batch.deliver(echo(batch))
    assert [(await request).rows for request in (first, patient)] == [[[49]], [[51]]]
    later = submit(queue, b"4", seconds=1.9)
    await queued(queue, 1)
    batch = await queue.take()
    batch.deliver(echo(batch))
    await later


async def test_a_newcomer_is_refused_by_the_pace_of_the_queue_before_anybody_has_waited_long() -> None:
    """At four images in 0.2 s, forty take two seconds: too long for who has three, not for who has ten."""
    queue = a_queue(max_batch=4, max_queued=64)
    waiting = [submit(queue, b"x", seconds=20) for _ in range(48)]
    await queued(queue, 48)
    batches = [await queue.take(), await queue.take()]
    queue._pace._seconds, queue._pace._images = 0.2, 4.0
    assert queue.queued_images == 40
    with pytest.raises(OverloadedError, match=r"40 images are waiting, .* for about 2\.0 s"):
        await submit(queue, b"y", seconds=3)
    patient = submit(queue, b"z", seconds=10)
    await queued(queue, 41)
    batches.extend([await queue.take() for _ in range(11)])
    for batch in batches:
        batch.deliver(echo(batch))
    await asyncio.gather(*waiting, patient)


def test_the_pace_counts_only_while_something_waits() -> None:
    """A pull after a pause in which the queue was empty says nothing; unequal pulls count by their images."""
    pace = Pace()
    pace.pulled(5, 10.0, is_any_left=False)
    pace.pulled(5, 99.0, is_any_left=True)
    assert pace.seconds(100) == 0.0
    pace.pulled(30, 100.0, is_any_left=True)
    assert pace.seconds(30) == pytest.approx(1.0)
    pace.pulled(1, 100.0, is_any_left=False)
    assert pace.seconds(25) == pytest.approx(25 * 0.8 / 25)
    pace.pulled(7, 200.0, is_any_left=False)
    assert pace.seconds(25) == pytest.approx(0.8)
    pace.pulled(7, 300.0, is_any_left=True)
    pace.interrupted()
    pace.pulled(7, 400.0, is_any_left=True)
    assert pace.seconds(25) == pytest.approx(0.8)


def test_the_pace_counts_from_what_enters_an_empty_queue() -> None:
    """And not again from what enters behind it."""
    pace = Pace()
    pace.entered(1.0)
    pace.entered(3.0)
    pace.pulled(4, 5.0, is_any_left=False)
    assert pace.seconds(1) == pytest.approx(1.0)


async def test_a_stop_is_forgotten_by_pulls_that_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """After five seconds of standing still, a queue that is emptied at once refuses nobody for long."""
    clock = [0.0]
    for module in ("gateway.serving.batching", "gateway.serving.tickets"):
        monkeypatch.setattr(f"{module}.perf_counter", lambda: clock[0])
    queue = a_queue(max_batch=16, max_queued=64)

    async def round_trip(images: int, seconds: float) -> None:
        requests = [submit(queue, b"x") for _ in range(images)]
        await queued(queue, images)
        clock[0] += seconds
        batch = await queue.take()
        batch.deliver(echo(batch))
        await asyncio.gather(*requests)

    await round_trip(4, 5.0)
    assert queue._pace.seconds(1) == pytest.approx(1.25)
    for _ in range(20):
        await round_trip(4, 0.01)
    assert queue._pace.seconds(1) < 0.02


async def test_an_idle_replica_gets_the_first_image_at_once() -> None:
    """There is no timer: what arrives while a replica waits is pulled in the same breath."""
    queue = a_queue()
    pull = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    request = submit(queue, b"a")
    for _ in range(4):
        await asyncio.sleep(0)
    assert pull.done()
    pull.result().deliver(echo(pull.result()))
    await request


async def test_a_full_queue_refuses_and_has_room_again_later() -> None:
    """More than max_queued images is an OverloadedError; pulling makes room."""
    queue = a_queue(max_batch=16, max_queued=3)
    first = submit(queue, b"a", b"b")
    await queued(queue, 2)
    with pytest.raises(OverloadedError, match="2 images are waiting"):
        await submit(queue, b"c", b"d")
    batch = await queue.take()
    second = submit(queue, b"c", b"d")
    await queued(queue, 2)
    batch.deliver(echo(batch))
    await first
    second.cancel()


async def test_a_request_leaves_the_queue_at_its_deadline() -> None:
    """Nobody computes what nobody waits for: its images are gone, the neighbour's are not."""
    queue = a_queue()
    late = submit(queue, b"a", seconds=0.01)
    patient = submit(queue, b"b")
    with pytest.raises(DeadlineError):
        await late
    batch = await queue.take()
    assert batch.images == [b"b"]
    batch.deliver(echo(batch))
    await patient


async def test_a_cancelled_caller_leaves_the_queue() -> None:
    """Cancelling the caller removes what was not pulled yet."""
    queue = a_queue()
    request = submit(queue, b"a", b"b")
    await queued(queue, 2)
    request.cancel()
    await asyncio.wait([request])
    assert queue.queued_images == 0


async def test_a_lost_batch_goes_to_the_front_once_and_then_ends_with_the_error() -> None:
    """The first loss is repeated before newer work; the second is the caller's error."""
    queue = a_queue(max_batch=1)
    old, new = submit(queue, b"old"), submit(queue, b"new")
    await queued(queue, 2)
    lost = ReplicaLostError("gone")
    queue.repeat(await queue.take(), lost, 2)
    again = await queue.take()
    assert again.images == [b"old"]
    queue.repeat(again, lost, 2)
    with pytest.raises(ReplicaLostError):
        await old
    batch = await queue.take()
    batch.deliver(echo(batch))
    assert (await new).rows == [list(b"new")]


async def test_a_failed_batch_ends_all_its_requests() -> None:
    """Each request of a refused call gets the error."""
    queue = a_queue()
    requests: Sequence[asyncio.Task[Answer]] = [submit(queue, b"a"), submit(queue, b"b")]
    await queued(queue, 2)
    (await queue.take()).fail(ReplicaRejectedError("no"))
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ReplicaRejectedError, ReplicaRejectedError]


async def test_a_wake_up_that_meets_a_cancelled_puller_is_passed_on() -> None:
    """Two replicas wait, the one that was woken is cancelled: the other pulls."""
    queue = a_queue()
    pulls = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    request = submit(queue, b"a")
    await asyncio.sleep(0)
    pulls[0].cancel()
    batch = await asyncio.wait_for(pulls[1], 10)
    batch.deliver(echo(batch))
    await request
