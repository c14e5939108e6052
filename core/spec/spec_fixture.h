#pragma once

#include <string>

#include <gtest/gtest.h>

#include "core/spec/app_spec.h"

namespace berth::spec {

/// A berth.toml that says everything there is to say.
inline constexpr const char* kWhole = R"(app = "web"
user = "www-data"
writable_home = true

[process.web]
command = ["bin/server", "--port", "${PORT}", "--greeting", "${GREETING}"]
port = 8080
instances = 2
stop = { signal = "QUIT", grace = "5s" }
restart = "on-failure"
directory = "server"

[process.web.startup]
exec = ["bin/is-up", "--quietly"]
failure_threshold = 30
[process.web.readiness]
http = "/healthz?deep=1"
status = "200-204"
headers = { Host = "example.org" }
initial_delay = "100ms"
period = "200ms"
timeout = "2s"
success_threshold = 2
failure_threshold = 4
[process.web.liveness]
tcp = true

[process.nginx]
command = ["bin/nginx"]
readiness = { http = "/", scheme = "https" }
liveness = { grpc = { service = "db.Store" } }
root = "image"
socket = 8443
listen_env = { NGINX = "${FD_http};" }

[process.worker]
command = ["bin/worker"]
instances = 0
restart = "never"
[process.worker.readiness]
notify = true

[deploy]
strategy = "recreate"
bake = "1m"
ready_timeout = "90s"
drain = "0s"

[env.GREETING]
required = true
description = "What to say"
[env.TOKEN]
secret = true
[env.LEVEL]
default = "info"

[logs]
segment_bytes = "1MB"
keep_bytes = 4000000
segment_age = "24h"

[hooks]
pre-start = ["bin/migrate", "--level", "${LEVEL}"]
[hooks.ready-to-switch]
command = ["bin/may-i"]
timeout = "10s"
retry = "5s"
give_up = "10m"
[hooks.on-revert]
command = ["bin/undo"]
timeout = "2m"

[data]
snapshot = { max_bytes = "2GB" }

[process.worker.limits]
MemoryMax = "512M"
MemoryHigh = "400MiB"
MemorySwapMax = 0
CPUQuota = "150%"
CPUWeight = 50
IOWeight = 20
TasksMax = 64
)";

/// The least there is to say.
inline constexpr const char* kLeast = R"(app = "web"
[process.web]
command = ["bin/server"]
)";

inline AppSpec parsed(std::string_view text) {
  auto spec = parse_toml(text, "berth.toml");
  EXPECT_TRUE(spec) << spec.error().message;
  return spec ? *spec : AppSpec();
}

/// `text` with the first `from` in it replaced.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "nothing to replace: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace berth::spec
