#pragma once

#include <stop_token>

#include "core/io/http.h"
#include "core/io/readiness.h"
#include "core/result.h"

namespace berth::io {

inline constexpr milliseconds kSlice{100};  ///< of a blocking wait: how late a wish to stop is noticed

/// How long a blocking transfer may take, and whether somebody wants it to stop. Whatever blocks in a transfer asks here.
class Patience {
 public:
  Patience(const FetchOptions& options, std::stop_token stop);

  /// From here to `connected`, everything together has the connect timeout; afterwards each wait has the stall timeout.
  void connecting();
  void connected();

  /// `Errc::cancelled` when somebody asked to stop, `Errc::timeout` when the time is over, `Errc::unreachable` where that was spent on connecting.
  Result<void> check() const;
  /// Waits until `fd` is ready for `events` (of poll).
  Result<void> wait(int fd, short events) const;

  /// Begins anew, for the next exchange over a connection that is kept: all of the time, and somebody else's wish to stop. One that is `times` as large has
  /// as many times of the stall timeout and of all.
  void renew(std::stop_token stop, int times = 1);

  Steady::time_point connect_deadline() const { return connect_end_; }
  /// Brings the connect deadline forward, for one of several addresses.
  void set_connect_deadline(Steady::time_point deadline) { connect_end_ = deadline; }

 private:
  std::stop_token stop_;
  const milliseconds connect_, one_stall_, one_total_;
  milliseconds stall_, total_;      ///< of the present exchange
  Steady::time_point end_;          ///< of everything
  Steady::time_point connect_end_;
  bool connecting_ = true;
};

}  // namespace berth::io
