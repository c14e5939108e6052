#pragma once

#include "core/io/http.h"
#include "core/logs/log_reader.h"
#include "daemon/api/routes.h"

namespace berth::api {

/// What a request for logs of `app` asks for: the parameters of `GET /v1/apps/{app}/logs`. `Errc::usage` for others, and for values that are wrong.
Result<logs::LogQuery> read_log_query(const io::ServerRequest& request, const std::string& app, logs::Time now);

/// Whether a list is wanted as it grows (`Accept: text/event-stream`).
bool wants_stream(const io::ServerRequest& request);

/// Events as server-sent events, for as long as the client is there: after the one of the header `Last-Event-ID`, else from number `from` on, else the new ones.
awaitable<Answer> follow_events(Call call);

}  // namespace berth::api
