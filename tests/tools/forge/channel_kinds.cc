#include <utility>

#include "core/bundle/channel.h"
#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

using bundle::Channel;

Channel honest_channel(const std::string& app) {
  return {.app = app, .environment = "production", .channel = "stable", .release = "v1", .serial = 7};
}

ChannelKind channel_kind(std::string app, std::string rule, const std::function<void(Channel&)>& change) {
  Channel channel = honest_channel(app);
  change(channel);
  return {std::move(app), std::move(rule), to_canonical_json(channel)};
}

ChannelKind changed_kind(std::string app, std::string rule, const std::function<std::string(std::string)>& change) {
  std::string text = change(to_canonical_json(honest_channel(app)));
  return {std::move(app), std::move(rule), std::move(text)};
}

ChannelKind substituted_kind(std::string app, std::string rule, std::string_view from, std::string_view to) {
  return changed_kind(std::move(app), std::move(rule), [=](std::string text) { return replaced(std::move(text), from, to); });
}

}  // namespace

std::vector<ChannelKind> channel_kinds() {
  return {
      channel_kind("of-another-app", "the channel stable of web/production", [](Channel& c) { c.app = "web"; }),
      channel_kind("of-another-environment", "/qa", [](Channel& c) { c.environment = "qa"; }),
      channel_kind("of-another-name", "the channel canary of", [](Channel& c) { c.channel = "canary"; }),
      channel_kind("app-with-path", "'../web' is no name", [](Channel& c) { c.app = "../web"; }),
      channel_kind("release-with-path", "'../../v1' is no release id", [](Channel& c) { c.release = "../../v1"; }),
      channel_kind("release-empty", "'' is no release id", [](Channel& c) { c.release.clear(); }),
      channel_kind("serial-zero", "member 'serial' is 0", [](Channel& c) { c.serial = 0; }),
      channel_kind("serial-negative", "member 'serial' is -7", [](Channel& c) { c.serial = -7; }),
      substituted_kind("serial-of-2-to-the-63", "channel:", "\"serial\":7", "\"serial\":9223372036854775808"),
      substituted_kind("serial-of-2-to-the-64", "channel:", "\"serial\":7", "\"serial\":18446744073709551616"),
      substituted_kind("serial-with-fraction", "channel:", "\"serial\":7", "\"serial\":7.5"),
      substituted_kind("serial-in-words", "member 'serial' is not an integer", "\"serial\":7", "\"serial\":\"7\""),
      substituted_kind("serial-missing", "member 'serial' is missing", ",\"serial\":7", ""),
      substituted_kind("member-twice", "occurs twice", "\"serial\":7", "\"serial\":7,\"serial\":8"),
      substituted_kind("member-unknown", "member 'yes' is not known", "\"serial\":7", "\"serial\":7,\"yes\":1"),
      substituted_kind("format-2", "member 'format' is 2", "\"format\":1", "\"format\":2"),
      substituted_kind("not-canonical", "is not in canonical form", "\"format\":1", "\"format\": 1"),
      changed_kind("cut", "channel:", [](const std::string& text) { return text.substr(0, text.size() / 2); }),
      changed_kind("then-more", "channel:", [](const std::string& text) { return text + "{}"; }),
      changed_kind("over-4-kib", "longer than the 4096 allowed", [](const std::string& text) { return text + std::string(bundle::kLargestChannel, ' '); }),
      changed_kind("over-4-mib", "are allowed at most", [](const std::string& text) { return text + std::string(bundle::kLargestManifest, ' '); }),
      changed_kind("nested-deep", "channel:", [](const std::string&) { return std::string(bundle::kLargestChannel, '['); }),
      changed_kind("a-list", "channel", [](const std::string&) { return std::string("[]"); }),
  };
}

}  // namespace berth::forge
