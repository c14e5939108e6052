#pragma once

#include <memory>

#include "core/result.h"
#include "daemon/config/config.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/sinks/courier.h"

namespace berth::ship {

/// Requests for one event that a receiver refuses for what it is (400, 413, 422), until it is given up.
inline constexpr int kMostTries = 5;

/// POSTs events, one each time, signed as Standard Webhooks 1.0.0 has it. What is answered 2xx is taken. An event that is refused for what it is, `kMostTries` times,
/// one that is answered 410, and one that is older than the webhook keeps them, counts as refused. Everything else is for later. What it says names the
/// host and never the path, which may be a password. Fails with `Errc::usage`, `Errc::not_found` and `Errc::permission` for a URL, a secret or a file that is wrong.
Result<std::unique_ptr<Courier>> make_webhook_courier(config::Webhook webhook, secrets::Sources sources);
Result<std::unique_ptr<Sink>> make_webhook_sink(config::Webhook webhook, secrets::Sources sources);

}  // namespace berth::ship
