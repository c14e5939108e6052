#include "core/exit_code.h"

namespace berth {

Exit exit_code(Errc code) {
  switch (code) {
    case Errc::usage: return Exit::usage;
    case Errc::not_found: return Exit::not_found;
    case Errc::trust: return Exit::trust;
    case Errc::refused:
    case Errc::unreachable: return Exit::unreachable;
    case Errc::permission: return Exit::permission;
    case Errc::exists:
    case Errc::conflict:
    case Errc::cancelled: return Exit::conflict;
    case Errc::protocol:
    case Errc::timeout:
    case Errc::no_space:
    case Errc::io:
    case Errc::internal: return Exit::failed;
  }
  return Exit::failed;
}

Errc errc_of(Exit exit) {
  switch (exit) {
    case Exit::usage: return Errc::usage;
    case Exit::not_found: return Errc::not_found;
    case Exit::trust: return Errc::trust;
    case Exit::unreachable: return Errc::unreachable;
    case Exit::permission: return Errc::permission;
    case Exit::conflict: return Errc::conflict;
    case Exit::still_running: return Errc::timeout;
    case Exit::ok:
    case Exit::failed:
    case Exit::reverted: return Errc::internal;
  }
  return Errc::internal;
}

std::string_view meaning(Exit exit) {
  switch (exit) {
    case Exit::ok: return "done; a deployed release is active, or was already";
    case Exit::failed: return "failed before the decision: what served before still serves";
    case Exit::usage: return "a wrong call, or an invalid file";
    case Exit::not_found: return "no such app, release, deployment or instance";
    case Exit::trust: return "signatures, expiry, versions or the bundle are refused";
    case Exit::reverted: return "the release was reverted";
    case Exit::unreachable: return "berthd does not answer";
    case Exit::permission: return "not permitted";
    case Exit::conflict: return "held, rejected, superseded, cancelled, or something else is under way";
    case Exit::still_running: return "still running when --timeout ended";
  }
  return "";
}

}  // namespace berth
