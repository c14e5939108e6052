#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace berth {

/// What kind of failure an operation met. The command line's exit codes and the API's statuses come from it.
enum class Errc {
  usage,        ///< a wrong argument, file or configuration of the caller
  not_found,    ///< the named thing does not exist
  exists,       ///< the named thing exists already and is not replaced
  trust,        ///< signatures, hashes, versions or expiry do not hold; a bundle that breaks a rule
  protocol,     ///< a peer does not speak as agreed, or says too much
  refused,      ///< nothing listens there
  timeout,      ///< a deadline passed
  unreachable,  ///< a host, repository or daemon could not be reached
  permission,   ///< the caller may not do this
  conflict,     ///< held, superseded, rejected, or another operation is under way
  no_space,     ///< the disk has too little room
  cancelled,    ///< somebody asked to stop
  io,           ///< the operating system refused
  internal,     ///< a fault of berth itself
};

/// The name of `code` in JSON and logs, such as "not_found".
std::string_view to_string(Errc code);

/// A failure, told for a person: what, where, and what to do.
struct Error {
  Errc code = Errc::internal;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(Errc::not_found, "…")` from a function that returns any `Result`.
inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

/// Passes an error on, saying in front of it what was being done.
inline std::unexpected<Error> pass(Error error, std::string_view doing = {}) {
  if (!doing.empty()) error.message = std::string(doing) + ": " + error.message;
  return std::unexpected(std::move(error));
}

/// The failure that `errno` (or `number`) tells, after `doing`: "open /x: Permission denied".
/// ENOSPC and EDQUOT become `Errc::no_space`, ENOENT `not_found`, EACCES and EPERM `permission`, EEXIST `exists`.
std::unexpected<Error> fail_errno(std::string_view doing);
std::unexpected<Error> fail_errno(std::string_view doing, int number);

}  // namespace berth

/// Takes the value of a `Result`, or returns its error from the enclosing function.
#define BERTH_JOIN_(a, b) a##b
#define BERTH_JOIN(a, b) BERTH_JOIN_(a, b)
#define BERTH_TRY_IMPL(temporary, target, expression)             \
  auto temporary = (expression);                                  \
  if (!temporary) return std::unexpected(std::move(temporary.error())); \
  target = std::move(*temporary)
#define BERTH_TRY(target, expression) BERTH_TRY_IMPL(BERTH_JOIN(berth_try_, __LINE__), target, expression)
#define BERTH_CHECK(expression)                                                        \
  do {                                                                                 \
    if (auto berth_check = (expression); !berth_check)                                 \
      return std::unexpected(std::move(berth_check.error()));                          \
  } while (false)
