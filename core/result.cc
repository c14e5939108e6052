#include "core/result.h"

#include <cerrno>
#include <cstring>

namespace berth {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::usage: return "usage";
    case Errc::not_found: return "not_found";
    case Errc::exists: return "exists";
    case Errc::trust: return "trust";
    case Errc::protocol: return "protocol";
    case Errc::refused: return "refused";
    case Errc::timeout: return "timeout";
    case Errc::unreachable: return "unreachable";
    case Errc::permission: return "permission";
    case Errc::conflict: return "conflict";
    case Errc::no_space: return "no_space";
    case Errc::cancelled: return "cancelled";
    case Errc::io: return "io";
    case Errc::internal: return "internal";
  }
  return "internal";
}

namespace {

Errc code_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case ENOENT: return Errc::not_found;
    case EACCES:
    case EPERM: return Errc::permission;
    case EEXIST: return Errc::exists;
    case ECONNREFUSED: return Errc::refused;
    case ETIMEDOUT: return Errc::timeout;
    default: return Errc::io;
  }
}

}  // namespace

std::unexpected<Error> fail_errno(std::string_view doing) {
  return fail_errno(doing, errno);
}

std::unexpected<Error> fail_errno(std::string_view doing, int number) {
  return fail(code_of(number), std::string(doing) + ": " + std::strerror(number));
}

}  // namespace berth
