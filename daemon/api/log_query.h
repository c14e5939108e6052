#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/io/http.h"
#include "core/logs/log_reader.h"
#include "core/result.h"

namespace berth::api {

/// What a request for logs of `app` asks for: the parameters of `GET /v1/apps/{app}/logs`. `Errc::usage` for others, and for values that are wrong.
Result<logs::LogQuery> read_log_query(const io::ServerRequest& request, const std::string& app, logs::Time now);

/// The event that a client who follows them had last, where it says so. `Errc::usage` for what is no number of one.
Result<std::optional<std::int64_t>> last_event_id(const io::Headers& headers);

}  // namespace berth::api
