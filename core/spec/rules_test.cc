#include "core/spec/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::HasSubstr;

/// Each replaces something in the whole example, so that one rule is broken.
TEST(Rules, AreToldWithPlaceAndReason) {
  const struct {
    const char *from, *to, *complaint;
  } kCases[] = {
      {"app = \"web\"", "app = \"Web\"", "berth.toml:1:7: 'app' is 'Web': must be a lower-case letter"},
      {"user = \"www-data\"", "user = \"www data\"", "'user' must be a user's name"},
      {"[process.worker]", "[process.Worker]", "'Worker' in [process] is no name of a process"},
      {"[\"bin/worker\"]", "[]", "berth.toml:37:11: 'command' in [process.worker] must name a program"},
      {"[\"bin/worker\"]", "[\"\"]", "must name a program"},
      {"[\"bin/worker\"]", "[\"sh\", \"-c\", \"a\\nb\"]", "control characters, such as a line break"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${NOBODY}\"]", "has ${NOBODY}, which is neither declared as [env.NOBODY] nor given by berth"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${GRETING}\"]", "(did you mean 'GREETING'?)"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${PORT}\"]", "has ${PORT}, which only a process with 'port' or 'socket' is given"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${secret:x}\"]", "no place for a secret"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${TOKEN}\"]", "has ${TOKEN}: a command line is no place for a secret"},
      {"[\"bin/worker\"]", "[\"bin/worker\", \"${PORT\"]", "has no closing brace"},
      {"instances = 2", "instances = 0", "'instances' in [process.web] must be a number from 1 to 256"},
      {"instances = 0", "instances = 0\nlisten_env = { A = \"3\" }", "goes with 'socket' only"},
      {"NGINX = \"${FD_http};\"", "\"1X\" = \"3\"", "is no name of a variable"},
      {"${FD_http}", "${FD_web}", "the number of the descriptor is ${FD_http}"},
      {"port = 8080", "port = 8443", "'port' in [process.web] 8443 is that of process 'nginx'"},
      {"signal = \"QUIT\"", "signal = \"STOP\"", "must be one that ends a process"},
      {"directory = \"server\"", "directory = \"../x\"", "'directory' in [process.web] must be a folder of the build"},
      {"directory = \"server\"", "directory = \"/srv\"", "must be a folder of the build"},
      {"http = \"/healthz?deep=1\"", "http = \"healthz\"", "'http' in [process.web.readiness] must be a path"},
      {"http = \"/healthz?deep=1\"", "http = \"/a b\"", "without spaces"},
      {"status = \"200-204\"", "status = \"300-204\"", "is no range from a lower to a higher"},
      {"Host = \"example.org\"", "\"Ho st\" = \"x\"", "is no HTTP field"},
      {"period = \"200ms\"", "period = \"1ms\"", "must be 10ms or more"},
      {"timeout = \"2s\"", "timeout = \"0s\"", "must be 1ms or more"},
      {"tcp = true", "tcp = true\nsuccess_threshold = 2", "since only readiness can come back"},
      {"exec = [\"bin/is-up\", \"--quietly\"]", "exec = []", "'exec' in [process.web.startup] must name a program"},
      {"restart = \"never\"", "restart = \"never\"\n[process.worker.liveness]\ntcp = true", "asks the process at its port, but it has none"},
      {"service = \"db.Store\"", "service = \"a\\tb\"", "'service' in [process.nginx.liveness.grpc] must be a name such as"},
      {"grpc = { service = \"db.Store\" }", "grpc = false", "'grpc' in [process.nginx.liveness] must be true"},
      {"grpc = { service = \"db.Store\" }", "grpc = 1", "'grpc' in [process.nginx.liveness] must be true or false"},
      {"ready_timeout = \"90s\"", "ready_timeout = \"0s\"", "'ready_timeout' in [deploy] must be 1ms or more"},
      {"[env.TOKEN]", "[env.\"TO KEN\"]", "is no name of a variable"},
      {"[env.TOKEN]", "[env.BERTH_TOKEN]", "is a name that berth gives a value of its own"},
      {"secret = true", "secret = true\ndefault = \"x\"", "would put a secret into the build"},
      {"required = true", "required = true\ndefault = \"x\"", "makes no sense where 'required' is true"},
      {"default = \"info\"", "default = \"a\\nb\"", "has control characters"},
      {"segment_bytes = \"1MB\"", "segment_bytes = \"1KB\"", "'segment_bytes' in [logs] must be from 64KiB to 1GiB"},
      {"segment_age = \"24h\"", "segment_age = \"59m\"", "'segment_age' in [logs] must be from 1h to 24h, or 0s for none"},
      {"keep_bytes = 4000000", "keep_bytes = 500000", "'keep_bytes' in [logs] must be at least 'segment_bytes'"},
      {"[process.worker]", "[process.pre-start]", "'pre-start' in [process] is the name of a hook"},
      {"pre-start = [\"bin/migrate\", ", "pre-start = [\"\", ", "'command' in [hooks.pre-start] must name a program"},
      {"pre-start = [\"bin/migrate\", ", "pre-start = [1, ", "'pre-start' in [hooks] must be a list of texts"},
      {"\"${LEVEL}\"]", "\"${PORT}\"]", "'command' in [hooks.pre-start] has ${PORT}, which only a process with"},
      {"\"${LEVEL}\"]", "\"${TOKEN}\"]", "has ${TOKEN}: a command line is no place for a secret"},
      {"pre-start = [\"bin/migrate\", \"--level\", \"${LEVEL}\"]", "pre-start = \"bin/migrate\"", "'pre-start' in [hooks] must be a command such as"},
      {"pre-start = [", "prestart = [", "unknown key 'prestart' in [hooks] (did you mean 'pre-start'?)"},
      {"command = [\"bin/undo\"]", "", "'command' in [hooks.on-revert] is missing"},
      {"timeout = \"2m\"", "timeout = \"0s\"", "'timeout' in [hooks.on-revert] must be 1ms or more"},
      {"timeout = \"2m\"", "retry = \"2m\"", "'retry' in [hooks.on-revert] goes with ready-to-switch only"},
      {"retry = \"5s\"", "retry = \"5ms\"", "'retry' in [hooks.ready-to-switch] must be 1s or more"},
      {"give_up = \"10m\"", "give_up = \"4s\"", "'give_up' in [hooks.ready-to-switch] must be as long as 'retry'"},
      {"strategy = \"recreate\"", "strategy = \"blue-green\"", "'snapshot' in [data] needs strategy = \"recreate\" in [deploy]: where two releases run at once"},
      {"snapshot = { max_bytes = \"2GB\" }", "snapshot = \"yes\"", "'snapshot' in [data] must be true or false"},
      {"max_bytes = \"2GB\"", "max_byte = \"2GB\"", "unknown key 'max_byte' in [data.snapshot] (did you mean 'max_bytes'?)"},
      {"snapshot = { max", "snapshots = { max", "unknown key 'snapshots' in [data] (did you mean 'snapshot'?)"}};
  for (const auto& [from, to, complaint] : kCases) {
    const auto spec = parse_toml(replaced(kWhole, from, to), "berth.toml");
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::usage) << to;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << to;
  }
}

TEST(Rules, WantAProcess) {
  const auto spec = parse_toml("app = \"web\"\n", "berth.toml");
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, HasSubstr("'process' names no process: add [process.web] with a command"));
}

TEST(Rules, AcceptWhatBerthItselfGives) {
  const AppSpec spec = parsed(replaced(kLeast, "\"bin/server\"", "\"bin/server\", \"${BERTH_DATA_DIR}\", \"${HOME}\", \"$$HOME\""));
  EXPECT_TRUE(broken_rules(spec).empty());
}

}  // namespace
}  // namespace berth::spec
