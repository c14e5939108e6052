#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include "core/resources.h"
#include "core/result.h"

namespace berth::io {

/// A short-lived program, such as an exec probe. Of what this program itself is allowed and protected from it has nothing: it may open as many files as is
/// usual, and is ended for memory as anything else is, as far as that can be.
struct ChildSpec {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  ///< all of it
  std::string directory = "/";
  std::optional<uid_t> uid;                        ///< with `gid`: who it runs as, in `groups` alone beside
  std::optional<gid_t> gid;
  std::vector<gid_t> groups;                       ///< supplementary ones
  std::uint64_t bounding = ~std::uint64_t{0};      ///< capabilities that it may ever have, 1 << number
  bool may_gain_privileges = true;                 ///< by what it executes, as set-uid programs give them
  int mount_namespace = -1;                        ///< a namespace to enter, whose root becomes its own; borrowed
  std::string cgroup_procs;                        ///< the `cgroup.procs` file to enter, or empty
  ResourceLimits resources;                        ///< in place of what is usual
  std::optional<int> nice;                         ///< in place of this program's
  std::optional<int> oom_score_adjust;             ///< in place of 0
  std::chrono::milliseconds deadline{1000};        ///< then its whole session is killed
  std::size_t most_output = 4096;                  ///< bytes of stdout and stderr together that are kept: the last ones
};

struct ChildResult {
  int status = 0;        ///< as waitpid gives it
  bool timed_out = false;
  std::string output;
};

/// Runs it in a session of its own with stdin from /dev/null and waits. A child that leaves its stdout open to grandchildren holds
/// nobody up: when it is gone or the deadline is over, its session is killed and reading ends.
/// Fails with `Errc::not_found` for a command that is not there and `Errc::permission` for one that may not be run.
boost::asio::awaitable<Result<ChildResult>> run_child(ChildSpec spec);

}  // namespace berth::io
