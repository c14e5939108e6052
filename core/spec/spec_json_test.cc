#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::HasSubstr;

std::string canonical(const AppSpec& spec) { return json::canonical(to_json(spec)).value(); }

/// Reads the canonical form of `toml`, in which `from` was replaced.
Result<AppSpec> read_changed(const char* toml, std::string_view from, std::string_view to) {
  const auto json = json::parse(replaced(canonical(parsed(toml)), from, to));
  EXPECT_TRUE(json) << json.error().message;
  return from_json(*json);
}

TEST(SpecJson, SaysWhatTheTomlSaid) {
  for (const char* toml : {kWhole, kLeast}) {
    const AppSpec spec = parsed(toml);
    const auto json = json::parse(canonical(spec));
    ASSERT_TRUE(json) << json.error().message;
    const auto again = from_json(*json);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, spec);
    EXPECT_EQ(canonical(*again), canonical(spec));
  }
}

TEST(SpecJson, WritesEveryDefault) {
  EXPECT_EQ(canonical(parsed(kLeast)),
            R"({"app":"web","deploy":{"bake":"30s","drain":"30s","ready_timeout":"1m"},"env":{},)"
            R"("logs":{"keep_bytes":104857600,"segment_bytes":10485760},"process":{"web":{"command":["bin/server"],"directory":"",)"
            R"("instances":1,"listen_env":{},"restart":"always","stop":{"grace":"10s","signal":"TERM"}}},"user":"","writable_home":false})");
}

TEST(SpecJson, IsReadStrictly) {
  const struct {
    const char *from, *to, *complaint;
  } kCases[] = {
      {R"("app":"web")", R"("app":"web","more":1)", "spec: member 'more' is not known"},
      {R"("app":"web",)", "", "spec: member 'app' is missing"},
      {R"("app":"web")", R"("app":"Web")", "spec: 'app' is 'Web'"},
      {R"("user":"www-data",)", "", "member 'user' is missing"},
      {R"("writable_home":true)", R"("writable_home":1)", "neither true nor false"},
      {R"("bake":"1m")", R"("bake":"60s")", "spec: deploy: member 'bake': '60s' is no duration, or not in its shortest form"},
      {R"("strategy":"recreate")", R"("strategy":"green")", "member 'strategy' is 'green', which is not known"},
      {R"("restart":"never")", R"("restart":"sometimes")", "spec: process.worker: member 'restart'"},
      {R"("signal":"QUIT")", R"("signal":"SIGQUIT")", "is no signal's name"},
      {R"("root":"image")", R"("root":"node")", "member 'root' is 'node', which is not written"},
      {R"("root":"image")", R"("root":"jail")", "member 'root' is 'jail', which is not known"},
      {R"("port":8080)", R"("port":8080,"socket":8080)", "has both 'port' and 'socket'"},
      {R"("port":8080)", R"("port":70000)", "member 'port' is 70000"},
      {R"("tcp":true)", R"("tcp":false)", "spec: process.web.liveness: is not one of http, tcp, exec, grpc and notify"},
      {R"("http":"/healthz?deep=1")", R"("http":"healthz")", "'http' in [process.web.readiness] must be a path"},
      {R"("scheme":"https")", R"("scheme":"http")", "member 'scheme' is 'http', which is not written"},
      {R"("grpc":{"service":"db.Store"})", R"("grpc":true)", "spec: process.nginx.liveness.grpc: member 'service' is missing"},
      {R"("grpc":{"service":"db.Store"})", R"("grpc":{"service":"db.Store","port":1})", "spec: process.nginx.liveness.grpc: member 'port' is not known"},
      {R"("notify":true)", R"("notify":false)", "spec: process.worker.readiness: is not one of http, tcp, exec, grpc and notify"},
      {R"("notify":true)", R"("notify":true,"tcp":true)", "spec: process.worker.readiness: is not one of"},
      {R"("secret":true)", R"("secret":true,"default":"x")", "would put a secret into the build"},
      {R"("instances":2)", R"("instances":"2")", "member 'instances' is not an integer"},
      {R"("logs":{)", R"("logs":{"x":1,)", "spec: logs: member 'x' is not known"},
      {R"("pre-start":{)", R"("pre-start":{"retry":"5s",)", "spec: hooks.pre-start: member 'retry' is not known"},
      {R"("pre-start":{)", R"("pre-end":{)", "'pre-end' in [hooks] is no hook"},
      {R"("give_up":"10m",)", "", "spec: hooks.ready-to-switch: member 'give_up' is missing"},
      {R"("snapshot":{"max_bytes":2000000000})", R"("snapshot":true)", "member 'snapshot'"},
      {R"("snapshot":{"max_bytes":2000000000})", R"("snapshot":{})", "spec: data.snapshot: member 'max_bytes' is missing"},
      {R"("CPUQuota":"150%")", R"("CPUQuota":"0150%")", "spec: process.worker.limits: member 'CPUQuota': '0150%' is no share of CPUs"},
      {R"("TasksMax":64)", R"("TasksMax":0)", "spec: process.worker.limits: member 'TasksMax' is 0"},
      {R"("TasksMax":64)", R"("TasksMax":64,"TaskMax":1)", "spec: process.worker.limits: member 'TaskMax' is not known"},
      {R"("MemoryMax":536870912)", R"("MemoryMax":1024)", "'MemoryMax' in [process.worker.limits] must be from 1M"},
      {R"("strategy":"recreate")", R"("strategy":"blue-green")", "'snapshot' in [data] needs strategy"}};
  for (const auto& [from, to, complaint] : kCases) {
    const auto spec = read_changed(kWhole, from, to);
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::trust) << to;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << to;
  }
}

TEST(SpecJson, OfAnotherKindIsRefused) {
  for (const char* text : {"[]", "null", "\"web\"", "{}", "{\"process\":[]}"}) {
    const auto spec = from_json(*json::parse(text));
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, Errc::trust);
  }
}

}  // namespace
}  // namespace berth::spec
