#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "daemon/config/section.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/courier.h"
#include "daemon/ship/sinks/gzip.h"
#include "daemon/ship/sinks/http_access.h"

namespace berth::ship {

/// A Grafana Loki, or what speaks its push API.
struct LokiSettings {
  std::string name;
  HttpAccess access;
  std::string tenant;  ///< of X-Scope-OrgID; or empty
  bool has_metadata = true;  ///< structured metadata is sent
  BatchLimits limits;
};

/// Reads `url` and what `parse_http` does, `tenant` and `metadata`.
LokiSettings parse_loki(config::Section& section);

Result<std::unique_ptr<Courier>> make_loki_courier(LokiSettings settings, secrets::Sources sources);
Result<std::unique_ptr<Sink>> make_loki_sink(LokiSettings settings, secrets::Sources sources);

/// Makes the body of POST /loki/api/v1/push: a stream for each set of labels (app, environment, process, node, stream, instance, and the configured ones), and
/// release, deployment, sequence and level of each entry as structured metadata. Times are those of `pushed_time`. Without
/// `has_metadata` the level is a label, and the others are an object of JSON in the text: its member `berth` where the text is an object, else behind it.
void loki_push(std::span<const Entry> batch, bool has_metadata, PushBody& body);

}  // namespace berth::ship
