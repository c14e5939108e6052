#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "daemon/config/section.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/courier.h"
#include "daemon/ship/sinks/http_access.h"

namespace berth::ship {

/// A Grafana Loki, or what speaks its push API.
struct LokiSettings {
  std::string name;
  HttpAccess access;
  std::string tenant;  ///< of X-Scope-OrgID; or empty
  BatchLimits limits;
};

/// Reads `url` and what `parse_http` does, and `tenant`.
LokiSettings parse_loki(config::Section& section);

Result<std::unique_ptr<Courier>> make_loki_courier(LokiSettings settings, secrets::Sources sources);
Result<std::unique_ptr<Sink>> make_loki_sink(LokiSettings settings, secrets::Sources sources);

/// The body of POST /loki/api/v1/push: a stream for each set of labels (app, environment, process, node, stream, and the configured ones), and release,
/// instance, deployment, sequence and level of each entry as structured metadata.
std::string loki_push(std::span<const Entry> batch);

}  // namespace berth::ship
