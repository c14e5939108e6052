#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/io/http.h"
#include "core/logs/record_time.h"
#include "core/result.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/sinks/courier.h"
#include "daemon/ship/sinks/gzip.h"
#include "daemon/ship/sinks/http_access.h"
#include "daemon/ship/sinks/http_answers.h"

namespace berth::ship {

/// What a server of logs wants, and what its answers mean.
struct HttpProtocol {
  std::function<void(std::span<const Entry>, PushBody& body)> encode;  ///< JSON
  std::function<Verdict(const io::HttpAnswer&, std::size_t entries, logs::Time now)> judge;
  io::Headers headers;  ///< of each request
};

/// Requests of one batch after which what is refused is not halved any more.
inline constexpr int kMostRequests = 64;

/// POSTs batches. One that is refused is halved again and again until the entries are found that the server will never take; where they are so many that
/// this takes more than `kMostRequests`, each part that is left is sent once, whole, and counts as refused where it is. Fails with `Errc::usage` for a URL or a file that is wrong.
Result<std::unique_ptr<Courier>> make_http_courier(HttpAccess access, secrets::Sources sources, HttpProtocol protocol);

}  // namespace berth::ship
