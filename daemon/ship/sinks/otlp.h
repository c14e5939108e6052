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

/// A collector of OpenTelemetry, by OTLP/HTTP with JSON.
struct OtlpSettings {
  std::string name;
  HttpAccess access;
  BatchLimits limits;
};

/// Reads `url` and what `parse_http` does.
OtlpSettings parse_otlp(config::Section& section);

Result<std::unique_ptr<Courier>> make_otlp_courier(OtlpSettings settings, secrets::Sources sources);
Result<std::unique_ptr<Sink>> make_otlp_sink(OtlpSettings settings, secrets::Sources sources);

/// Makes the body of POST /v1/logs (ExportLogsServiceRequest in JSON): a resource for each origin, and a record for each entry. `observed` is when they were read.
void otlp_export(std::span<const Entry> batch, logs::Time observed, PushBody& body);

}  // namespace berth::ship
