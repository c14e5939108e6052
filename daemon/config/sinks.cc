#include "daemon/config/sinks.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/logs/record_time.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

constexpr std::size_t kMostSinks = 16;  ///< each has threads, and two batches in memory
constexpr std::size_t kMostSinkLabels = 16;
constexpr std::size_t kLongestSinkLabel = 256;
constexpr std::uint64_t kLeastBatch = 4096, kMostBatch = 4u << 20;
constexpr std::chrono::milliseconds kLongestWait = std::chrono::minutes(1);

std::string list_kinds(const std::vector<SinkKind>& kinds) {
  std::string text;
  for (const SinkKind& kind : kinds) text += (text.empty() ? "" : ", ") + kind.name;
  return text;
}

bool is_label_name(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && text.size() <= 63 && (text[0] < '0' || text[0] > '9') && std::ranges::all_of(text, fits);
}

void read_sink_labels(Section& section, Sink& sink) {
  sink.labels = section.texts("labels");
  if (sink.labels.size() > kMostSinkLabels) section.complain("labels", fmt::format("labels: more than {} of them", kMostSinkLabels));
  for (const auto& [name, text] : sink.labels) {
    if (!is_label_name(name)) section.complain("labels", fmt::format("labels: '{}' is no name for one: letters, digits and '_', no digit in front, 63 at most", name));
    const bool plain = std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
    if (!plain || text.size() > kLongestSinkLabel) section.complain("labels", fmt::format("labels: '{}' is not one line of at most {} bytes", name, kLongestSinkLabel));
  }
}

void read_batches(Section& section, Sink& sink) {
  sink.batch_lines = static_cast<std::size_t>(section.integer("batch_lines", static_cast<std::int64_t>(sink.batch_lines), 1, 100'000));
  section.read("batch_bytes", sink.batch_bytes, [](const std::string& text) -> Result<std::size_t> {
    const auto size = parse_size(text);
    if (!size) return pass(size.error());
    if (*size < kLeastBatch || *size > kMostBatch) return fail(Errc::usage, fmt::format("'{}' is not from 4KiB to 4MiB", text));
    return static_cast<std::size_t>(*size);
  });
  section.read("batch_wait", sink.batch_wait, [](const std::string& text) -> Result<std::chrono::milliseconds> {
    auto wait = logs::parse_span(text);
    if (wait && *wait > kLongestWait) return fail(Errc::usage, fmt::format("'{}' is more than '1m'", text));
    return wait;
  });
}

void read_sink(Section& section, const std::vector<SinkKind>& kinds, Sink& sink) {
  section.read("name", sink.name, [](const std::string& text) -> Result<std::string> {
    if (is_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for a sink: a small letter, then small letters, digits and '-', 31 at most", text));
  });
  if (!section.has("name")) section.complain("name", "[[sink]] has no 'name': status, metrics and its cursor need one");
  for (const std::string& app : section.strings("apps")) {
    if (!is_name(app)) section.complain("apps", fmt::format("apps: '{}' is no name of an app", app));
    sink.apps.push_back(app);
  }
  if (section.has("apps") && sink.apps.empty()) section.complain("apps", "apps: it names none; leave it out for all of them");
  read_sink_labels(section, sink);
  sink.required = section.truth("required", sink.required);
  sink.events = section.truth("events", sink.events);
  sink.daemon = section.truth("daemon", sink.daemon);
  read_batches(section, sink);
  sink.said = section.said();
  sink.at = section.place({});
  sink.kind = section.string("kind", {});
  const auto kind = std::ranges::find(kinds, sink.kind, &SinkKind::name);
  if (kind != kinds.end()) {
    sink.settings = kind->read(section);
    return;
  }
  section.complain("kind", section.has("kind") ? fmt::format("kind: there is no '{}': give one of {}", sink.kind, list_kinds(kinds))
                                               : fmt::format("[[sink]] has no 'kind': give one of {}", list_kinds(kinds)));
  section.other_keys_are_known();
}

/// As it is without links, as far as it is there.
std::filesystem::path real_path(const std::filesystem::path& said) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(said, error);
  return error ? said.lexically_normal() : real;
}

/// The file that it writes; empty where it writes none.
std::filesystem::path file_of(Section& section, const Sink& sink) {
  if (sink.kind != "file" || !section.has("path")) return {};
  return real_path(section.string("path", {}));
}

bool is_within(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const std::filesystem::path beyond = path.lexically_relative(folder);
  return !beyond.empty() && *beyond.begin() != "..";
}

/// A folder in which berthd, or who operates it, has files that nobody else is to write.
struct OwnFolder {
  std::filesystem::path path;
  std::string what;
  bool alone = false;  ///< without the folders in it

  bool has(const std::filesystem::path& file) const { return alone ? file.parent_path() == path : is_within(file, path); }
};

std::vector<OwnFolder> own_folders(const Config& config, const std::vector<std::string>& files) {
  std::vector<OwnFolder> own{{config.state, "[paths] state"}, {config.logs, "[paths] logs"}, {config.run, "[paths] run"}};
  if (const std::filesystem::path first = files.front(); first.is_absolute()) {
    own.push_back({first.parent_path(), "the configuration", true});
    own.push_back({drop_in_folder(first), "the configuration"});
  }
  for (OwnFolder& one : own) one.path = real_path(one.path);
  return own;
}

}  // namespace

void read_sinks(Document& document, const std::vector<SinkKind>& kinds, Config& config) {
  std::vector<Sink>& sinks = config.sinks;
  const std::vector<OwnFolder> own = own_folders(config, document.files());
  const std::size_t count = document.count("sink");
  std::map<std::filesystem::path, std::string> files;  // and the sink that writes each
  for (std::size_t i = 0; i < count; ++i) {
    Section section = document.element("sink", i);
    Sink sink;
    read_sink(section, kinds, sink);
    if (i == kMostSinks) section.complain("name", fmt::format("more than {} sinks", kMostSinks));
    const auto other = std::ranges::find(sinks, sink.name, &Sink::name);
    if (!sink.name.empty() && other != sinks.end())
      section.complain("name", fmt::format("name: there are two sinks '{}', the other one is at {}", sink.name, other->at));
    if (const auto path = file_of(section, sink); !path.empty()) {
      const auto folder = std::ranges::find_if(own, [&path](const OwnFolder& one) { return one.has(path); });
      if (folder != own.end())
        section.complain("path", fmt::format("path: {} lies in {}, the folder of {}, whose files are berthd's own: give the sink a folder of its own, such as /var/log/berth-out",
                                             path.string(), folder->path.string(), folder->what));
      if (const auto [writer, is_new] = files.emplace(path, sink.name); !is_new && writer->second != sink.name)
        section.complain("path", fmt::format("path: the sink '{}' writes that file already, and each would cut off what the other one wrote: give each sink a file of its own", writer->second));
    }
    sinks.push_back(std::move(sink));
  }
}

std::vector<SinkKind> kinds_read_by(const std::function<std::any(Section&)>& read) {
  std::vector<SinkKind> kinds;
  for (const char* name : {"file", "syslog", "journald", "loki", "otlp"}) kinds.push_back({name, read});
  return kinds;
}

}  // namespace berth::config
