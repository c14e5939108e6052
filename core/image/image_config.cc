#include <algorithm>

#include <fmt/core.h>

#include "core/image/image_json.h"
#include "core/image/json_parts.h"

namespace berth::image {
namespace {

using json::ObjectReader;

json::value without_nulls(const json::value& value) {
  if (const json::object* members = value.if_object()) {
    json::object kept;
    for (const auto& member : *members)
      if (!member.value().is_null()) kept[member.key()] = without_nulls(member.value());
    return kept;
  }
  if (const json::array* items = value.if_array()) {
    json::array kept;
    for (const json::value& item : *items) kept.push_back(without_nulls(item));
    return kept;
  }
  return value;
}

/// The names of an object that is used as a set, sorted.
std::vector<std::string> names_of(ObjectReader& reader, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& member : reader.members_or_empty(name)) names.emplace_back(member.key());
  std::ranges::sort(names);
  return names;
}

std::optional<std::chrono::nanoseconds> nanoseconds_of(ObjectReader& reader, std::string_view name) {
  const std::int64_t count = reader.integer_or(name, 0);
  return count == 0 ? std::nullopt : std::optional(std::chrono::nanoseconds(count));
}

Result<HealthCheck> health_from(const json::value& value, const std::string& where) {
  ObjectReader reader(value, where, Errc::usage);
  HealthCheck health{.test = texts_of(reader, "Test"),
                     .interval = nanoseconds_of(reader, "Interval"),
                     .timeout = nanoseconds_of(reader, "Timeout"),
                     .start_period = nanoseconds_of(reader, "StartPeriod"),
                     .start_interval = nanoseconds_of(reader, "StartInterval"),
                     .retries = static_cast<int>(reader.integer_or("Retries", 0, 0, 1'000'000))};
  BERTH_CHECK(reader.done(true));
  return health;
}

Result<void> read_settings(ImageConfig& config, const json::value& value, const std::string& where) {
  ObjectReader reader(value, where, Errc::usage);
  config.entrypoint = texts_of(reader, "Entrypoint");
  config.command = texts_of(reader, "Cmd");
  config.environment = texts_of(reader, "Env");
  config.user = reader.string_or("User", "");
  config.directory = reader.string_or("WorkingDir", "");
  config.stop_signal = reader.string_or("StopSignal", "");
  config.ports = names_of(reader, "ExposedPorts");
  config.volumes = names_of(reader, "Volumes");
  const json::value* health = reader.maybe("Healthcheck");
  BERTH_CHECK(reader.done(true));
  if (health == nullptr) return {};
  BERTH_TRY(config.health, health_from(*health, where + ": Healthcheck"));
  return {};
}

Result<void> read_diff_ids(ImageConfig& config, const json::value& rootfs, const std::string& where) {
  ObjectReader reader(rootfs, where, Errc::usage);
  const auto digests = texts_of(reader, "diff_ids");
  if (const std::string type = reader.string_or("type", "layers"); type != "layers") reader.complain(fmt::format("is of the type '{}'", type));
  BERTH_CHECK(reader.done(true));
  for (const std::string& digest : digests) {
    BERTH_TRY(config.diff_ids.emplace_back(), sha256_of_digest(digest, where));
  }
  return {};
}

}  // namespace

Result<json::value> parse_document(std::string_view text, const std::string& where) {
  auto parsed = json::parse(text, {.most_bytes = kMostJson}, true);
  if (!parsed) return fail(Errc::usage, fmt::format("{}: {}", where, parsed.error().message));
  return without_nulls(*parsed);
}

std::vector<std::string> texts_of(ObjectReader& reader, std::string_view name) {
  std::vector<std::string> texts;
  for (const json::value& item : reader.list_or_empty(name)) {
    if (const auto* text = item.if_string()) texts.emplace_back(*text);
    else reader.complain(fmt::format("member '{}' is not a list of texts", name));
  }
  return texts;
}

Result<ImageConfig> parse_config(std::string_view text, const std::string& where) {
  BERTH_TRY(const json::value value, parse_document(text, where));
  ObjectReader reader(value, where, Errc::usage);
  ImageConfig config;
  config.platform = {.os = reader.string("os"), .architecture = reader.string("architecture"), .variant = reader.string_or("variant", "")};
  const json::value* settings = reader.maybe("config");
  const json::value* rootfs = reader.maybe("rootfs");
  if (rootfs == nullptr) reader.complain("member 'rootfs' is missing: it is no config of an image");
  BERTH_CHECK(reader.done(true));
  if (settings != nullptr) BERTH_CHECK(read_settings(config, *settings, where + ": config"));
  BERTH_CHECK(read_diff_ids(config, *rootfs, where + ": rootfs"));
  return config;
}

}  // namespace berth::image
