#include "core/spec/sandbox.h"
#include "core/spec/capabilities.h"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSandboxed = R"(app = "web"
[process.web]
command = ["bin/server"]
[process.web.sandbox]
ProtectSystem = "strict"
ProtectHome = "read-only"
PrivateTmp = true
ReadOnlyPaths = ["/srv/shared"]
ReadWritePaths = ["/srv/shared/out", "-/srv/other"]
InaccessiblePaths = ["/etc/shadow"]
RestrictAddressFamilies = ["AF_INET", "AF_UNIX"]
MemoryDenyWriteExecute = true
NoNewPrivileges = true
PrivateDevices = true
CapabilityBoundingSet = ["CAP_KILL", "CAP_NET_BIND_SERVICE"]
AmbientCapabilities = ["CAP_NET_BIND_SERVICE"]
UMask = "0027"
)";

/// kLeast with lines of a sandbox.
std::string sandboxed(const std::string& lines) { return std::string(kLeast) + "[process.web.sandbox]\n" + lines + "\n"; }

std::string refusal(const std::string& text) {
  const auto spec = parse_toml(text, "berth.toml");
  return spec ? "nothing wrong" : spec.error().message;
}

TEST(SandboxWords, AreReadAndWrittenAsTheyWereMeant) {
  const AppSpec spec = parsed(kSandboxed);
  const Sandbox& sandbox = spec.processes.at("web").sandbox;
  EXPECT_EQ(sandbox.protect_system, Sandbox::System::strict);
  EXPECT_EQ(sandbox.protect_home, Sandbox::Home::read_only);
  EXPECT_TRUE(sandbox.private_tmp && sandbox.memory_deny_write_execute && sandbox.no_new_privileges);
  EXPECT_THAT(sandbox.read_only_paths, ElementsAre("/srv/shared"));
  EXPECT_THAT(sandbox.read_write_paths, ElementsAre("/srv/shared/out", "-/srv/other"));
  EXPECT_THAT(sandbox.inaccessible_paths, ElementsAre("/etc/shadow"));
  EXPECT_THAT(sandbox.restrict_address_families, ElementsAre("AF_INET", "AF_UNIX"));
  EXPECT_EQ(sandbox.umask, 027);
  EXPECT_TRUE(sandbox.private_devices);
  EXPECT_THAT(*sandbox.capability_bounding_set, ElementsAre("CAP_KILL", "CAP_NET_BIND_SERVICE"));
  EXPECT_THAT(sandbox.ambient_capabilities, ElementsAre("CAP_NET_BIND_SERVICE"));
  const auto again = from_json(to_json(spec));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, spec);
}

TEST(SandboxWords, OfCapabilitiesAreThoseOfTheKernel) {
  EXPECT_EQ(capability("CAP_CHOWN"), 0);
  EXPECT_EQ(capability("CAP_SYS_ADMIN"), 21);
  EXPECT_EQ(capability("CAP_CHECKPOINT_RESTORE"), 40);
  EXPECT_FALSE(capability("CAP_EVERYTHING"));
  EXPECT_THAT(refusal(sandboxed("AmbientCapabilities = [\"CAP_NET_BIND\"]")), HasSubstr("'CAP_NET_BIND', which is no capability"));
  EXPECT_THAT(refusal(sandboxed("CapabilityBoundingSet = [\"CAP_KIL\"]")), HasSubstr("did you mean 'CAP_KILL'?"));
  EXPECT_THAT(refusal(sandboxed("CapabilityBoundingSet = []\nAmbientCapabilities = [\"CAP_KILL\"]")), HasSubstr("CapabilityBoundingSet leaves out"));
  EXPECT_THAT(refusal(sandboxed("PrivateDevices = true\nAmbientCapabilities = [\"CAP_MKNOD\"]")), HasSubstr("PrivateDevices takes"));
  EXPECT_THAT(refusal(sandboxed("CapabilityBoundingSet = \"CAP_KILL\"")), HasSubstr("CapabilityBoundingSet"));
}

TEST(SandboxWords, ABoundingSetIsAllForRootAndForOthersWhatTheyAreGiven) {
  constexpr std::uint64_t kBind = 1u << 10, kKill = 1u << 5, kDevices = (1u << 27) | (1u << 17);
  EXPECT_EQ(bounding_set({}, true), kAllCapabilities);
  EXPECT_EQ(bounding_set({}, false), 0u);
  EXPECT_EQ(bounding_set({.ambient_capabilities = {"CAP_NET_BIND_SERVICE"}}, false), kBind);
  EXPECT_EQ(bounding_set({.private_devices = true}, true), kAllCapabilities & ~kDevices);
  for (const bool is_root : {true, false}) {
    EXPECT_EQ(bounding_set({.capability_bounding_set = {{"CAP_KILL", "CAP_NET_BIND_SERVICE"}}}, is_root), kBind | kKill);
    EXPECT_EQ(bounding_set({.capability_bounding_set = std::vector<std::string>()}, is_root), 0u);
  }
  const AppSpec none = parsed(sandboxed("CapabilityBoundingSet = []"));
  ASSERT_TRUE(none.processes.at("web").sandbox.capability_bounding_set) << "nothing is said, and that is something";
  const auto again = from_json(to_json(none));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, none);
}

TEST(SandboxWords, MayBeBooleansAsSystemdHasThem) {
  EXPECT_EQ(parsed(sandboxed("ProtectSystem = true")).processes.at("web").sandbox.protect_system, Sandbox::System::yes);
  EXPECT_EQ(parsed(sandboxed("ProtectSystem = false")).processes.at("web").sandbox.protect_system, Sandbox::System::no);
  EXPECT_EQ(parsed(sandboxed("ProtectHome = \"tmpfs\"")).processes.at("web").sandbox.protect_home, Sandbox::Home::tmpfs);
}

TEST(SandboxWords, StandInAManifestOnlyWhereTheySaySomething) {
  const auto json = to_json(parsed(kLeast));
  EXPECT_EQ(json.at("process").at("web").as_object().if_contains("sandbox"), nullptr);
  const auto empty = to_json(parsed(sandboxed("PrivateTmp = false")));
  EXPECT_EQ(empty.at("process").at("web").as_object().if_contains("sandbox"), nullptr);
}

TEST(SandboxWords, ThatAreWrongAreRefusedByName) {
  const struct {
    const char* lines;
    const char* says;
  } cases[] = {
      {"ProtectSytem = true", "unknown key 'ProtectSytem' in [process.web.sandbox] (did you mean 'ProtectSystem'?)"},
      {"ProtectSystem = \"all\"", "'ProtectSystem' in [process.web.sandbox]"},
      {"UMask = \"8\"", "octal digits"},
      {"UMask = \"7777\"", "octal digits"},
      {"ReadOnlyPaths = [\"srv\"]", "has 'srv': a path begins with '/'"},
      {"ReadWritePaths = [\"/srv/../etc\"]", "without '..'"},
      {"InaccessiblePaths = [\"/srv/\"]", "without a '/' at its end"},
      {"InaccessiblePaths = [\"/\"]", "without which nothing runs"},
      {"RestrictAddressFamilies = [\"AF_INT\"]", "did you mean 'AF_INET'?"},
      {"RestrictAddressFamilies = []", "has no family"},
  };
  for (const auto& [lines, says] : cases) EXPECT_THAT(refusal(sandboxed(lines)), HasSubstr(says)) << lines;
}

TEST(SandboxWords, AboutPathsDoNotGoWithAnImage) {
  const std::string image = replaced(sandboxed("PrivateTmp = true"), "command", "root = \"image\"\ncommand");
  EXPECT_THAT(refusal(image), HasSubstr("of which a process with root = \"image\" sees none"));
  const std::string others = replaced(sandboxed("MemoryDenyWriteExecute = true\nUMask = \"0077\""), "command", "root = \"image\"\ncommand");
  EXPECT_TRUE(parse_toml(others, "berth.toml"));
}

TEST(SandboxWords, OfAManifestHaveOneForm) {
  const std::string good = boost::json::serialize(to_json(parsed(kSandboxed)));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{R"("ProtectSystem":"strict")", R"("ProtectSystem":"no")"},
                                                                                {R"("ProtectSystem":"strict")", R"("ProtectSystem":true)"},
                                                                                {R"("PrivateTmp":true)", R"("PrivateTmp":false)"},
                                                                                {R"("UMask":"0027")", R"("UMask":"27")"},
                                                                                {R"(["/etc/shadow"])", "[]"},
                                                                                {R"("AF_UNIX")", R"("AF_NONE")"},
                                                                                {R"("UMask")", R"("UMasc")"}}) {
    const auto spec = from_json(boost::json::parse(replaced(good, from, to)));
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::trust) << to;
  }
}

}  // namespace
}  // namespace berth::spec
