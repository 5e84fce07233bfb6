"""A server, a network or a machine that was away for a while: what the pages say of it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .asking import ENDS_MS, GONE, create, row, wait_for_end
from .server import SETTINGS, Server


def test_a_connection_that_says_nothing_is_replaced_though_its_end_is_not_agreed_on(
    new_page,
) -> None:
    page = new_page("/queue")
    page.clock.install()
    opened = []

    def silent(socket) -> None:
        opened.append(socket)
        socket.on_close(lambda *_: None)  # nobody answers to the close
        if len(opened) == 1:
            socket.send('[{"type": "hello"}]')
        else:
            socket.connect_to_server()

    page.route_web_socket(re.compile("/ws"), silent)
    page.reload()
    expect(page.locator(".connection")).to_have_text("Live")
    page.clock.run_for(60_000)
    expect(page.locator(".connection")).to_have_text("Live")
    assert len(opened) == 2


def test_a_connection_that_is_never_made_is_tried_anew(new_page) -> None:
    page = new_page("/queue")
    page.clock.install()
    opened = []

    def silent(socket) -> None:
        opened.append(socket)
        if len(opened) == 1:
            socket.on_close(lambda *_: None)
        else:
            socket.connect_to_server()

    page.route_web_socket(re.compile("/ws"), silent)
    page.reload()
    expect(page.locator(".connection")).to_have_text("Connecting")
    page.clock.run_for(70_000)
    expect(page.locator(".connection")).to_have_text("Live")


def test_who_looks_again_while_nothing_answers_is_still_told_and_lists_are_loaded_anew(
    new_page, server
) -> None:
    page = new_page("/queue", *GONE)
    opened = []

    def lose(socket) -> None:
        opened.append(socket)
        if len(opened) == 1:
            socket.close()  # those after it are never greeted

    page.route_web_socket(re.compile("/ws"), lose)
    page.reload()
    word = page.locator(".connection")
    expect(word).to_contain_text("Reconnecting")
    page.keyboard.press(".")
    expect(word).to_have_text("Paused")
    page.keyboard.press(".")
    job_id = create(server, "cleanup", {"dry_run": True})
    expect(row(page, job_id)).to_be_visible(timeout=ENDS_MS)
    expect(word).to_have_text("Reconnecting")


def test_the_log_of_a_job_is_that_of_the_folder_that_is_served_now(
    new_page, server, script, tmp_path
) -> None:
    script.say(log="here {n}", times=4)
    script.say(end=True)
    first, second = (script.start(server) for _ in range(2))
    wait_for_end(server, second)
    other = Server(tmp_path / "other", SETTINGS)
    other.start()
    while create(other, "cleanup", {"dry_run": True}) < first:
        pass
    wait_for_end(other, first)
    other.stop()
    page = new_page(f"/jobs/{first}?tab=logs", *GONE)
    expect(page.locator(".log-line").filter(has_text="here 3")).to_be_visible()
    server.stop()
    other.port = server.port
    other.start()
    expect(page.locator(".log-line").filter(has_text="would delete")).to_be_visible()
    expect(page.locator(".log-line").filter(has_text="here")).to_have_count(0)
    other.stop()
    server.start()


def test_more_than_could_be_told_is_loaded_anew_and_said_once(new_page) -> None:
    page = new_page("/queue")
    sockets = []

    def pass_on(socket) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/ws"), pass_on)
    page.reload()
    expect(page.locator(".connection")).to_have_text("Live")
    for _ in range(2):
        with page.expect_response(re.compile("/api/jobs")):
            sockets[-1].send('[{"type": "reset", "reason": "a gap"}]')
    expect(page.locator(".note").filter(has_text="More was missed")).to_have_count(1)
