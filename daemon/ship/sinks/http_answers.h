#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/logs/record_time.h"

namespace berth::ship {

/// What a server of logs said of a batch.
struct Verdict {
  enum class Kind {
    taken,    ///< all of it, but `refused` entries
    later,    ///< none, and it may be sent again
    refused,  ///< something in it will never be taken
  };
  Kind kind = Kind::taken;
  std::size_t refused = 0;
  std::chrono::milliseconds wait{0};
  std::string reason;       ///< one line; empty where all was taken
  bool is_denied = false;   ///< `later`, since we are not who we should be
};

/// Judges an answer by its status: 2xx is taken; 400, 413 and 422 are refused; everything else (throttling, trouble of the server or of the way there, a
/// token that is not taken, a wrong address) is for later, since none of that lies in the entries. `now` is for a Retry-After that is a date.
Verdict judge_status(const io::HttpAnswer& answer, logs::Time now);

/// Judges an answer of OTLP/HTTP to `entries` records: as above, and a `partialSuccess` in a 2xx counts what was rejected.
Verdict judge_export(const io::HttpAnswer& answer, std::size_t entries, logs::Time now);

/// Reads a Retry-After header: seconds, or a date of HTTP (RFC 9110, 10.2.3). At most an hour; a date that is over is no wait. Empty for what is neither.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, logs::Time now);

}  // namespace berth::ship
