#pragma once

#include <vector>

#include "daemon/config/config.h"
#include "daemon/config/section.h"

namespace berth::config {

/// Reads each `[[webhook]]`.
void read_webhooks(Document& document, std::vector<Webhook>& webhooks);

/// Whether the files that they name are there and can be read. Fails with `Errc::usage`.
Result<void> check_webhook_files(const std::vector<Webhook>& webhooks);

}  // namespace berth::config
