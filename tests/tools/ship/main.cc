// Brings the lines of stdin to one sink, as berthd does:
//
//   berth-ship CONFIG [--patience SECONDS] [--batch ENTRIES]
//
// CONFIG has one [[sink]] with its `kind` and its keys, and may have [labels], and rules of lines in [lines]. Each line is a record of the instance
// web/worker.2 on edge-1 whose sequence is its number. A batch that the sink does not take is sent again until the patience ends. What became of them is
// printed as JSON: {"lines": 9, "taken": 8, "refused": 1, "retries": 2, "reason": "…"}; the exit status is 0 where all are taken or refused.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "core/files/files.h"
#include "core/io/loop.h"
#include "core/io/on_loop.h"
#include "core/json/json.h"
#include "daemon/config/section.h"
#include "daemon/ship/sinks/journald.h"
#include "daemon/ship/sinks/line_rules.h"
#include "daemon/ship/sinks/loki.h"
#include "daemon/ship/sinks/otlp.h"
#include "daemon/ship/sinks/sinks_fixture.h"
#include "daemon/ship/sinks/syslog.h"

namespace berth::ship {
namespace {

using Steady = std::chrono::steady_clock;

struct Options {
  std::string config;
  std::chrono::seconds patience{30};
  std::size_t batch = 0;  ///< 0: as the sink wants it
};

Result<Options> read_options(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t at = 0; at < words.size(); ++at) {
    long number = 0;
    const bool is_option = words[at] == "--patience" || words[at] == "--batch";
    if (!is_option) {
      options.config = words[at];
      continue;
    }
    const std::string value = at + 1 < words.size() ? words[at + 1] : "";
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc()) return fail(Errc::usage, words[at] + ": a number is missing");
    if (words[at++] == "--batch") options.batch = static_cast<std::size_t>(number);
    else options.patience = std::chrono::seconds(number);
  }
  if (options.config.empty()) return fail(Errc::usage, "give a file with a [[sink]]");
  return options;
}

struct Setup {
  std::unique_ptr<Sink> sink;
  std::shared_ptr<LineRules> rules = std::make_shared<LineRules>();
  std::shared_ptr<Origin> origin = sample_origin();
};

using Make = std::function<Result<std::unique_ptr<Sink>>()>;

/// Settings are made into a sink when the whole file was read.
template <class Settings, class MakeSink>
Make made_of(Settings settings, MakeSink make) {
  settings.name = "sink";
  return [settings = std::move(settings), make] { return make(settings); };
}

Make read_sink(config::Section& section) {
  const std::string kind = section.string("kind", {});
  if (kind == "syslog") return made_of(parse_syslog(section), make_syslog_sink);
  if (kind == "journald") return made_of(parse_journald(section), make_journald_sink);
  if (kind == "loki") return made_of(parse_loki(section), [](LokiSettings settings) { return make_loki_sink(std::move(settings), {}); });
  if (kind == "otlp") return made_of(parse_otlp(section), [](OtlpSettings settings) { return make_otlp_sink(std::move(settings), {}); });
  section.complain("kind", "kind: syslog, journald, loki or otlp");
  return {};
}

Result<Setup> read_config(const std::string& file) {
  BERTH_TRY(const std::string text, files::read(file, 1u << 20));
  BERTH_TRY(auto document, config::Document::parse(text, file));
  Setup setup;
  Make make;
  {
    config::Section top = document.section("");
    for (const char* table : {"sink", "lines", "labels"}) top.table(table);
    if (document.count("sink") != 1) return fail(Errc::usage, file + ": give one [[sink]]");
    config::Section section = document.element("sink", 0);
    make = read_sink(section);
    config::Section lines = document.section("lines");
    *setup.rules = parse_line_rules(lines);
    config::Section labels = document.section("labels");
    for (const std::string& key : labels.other_keys()) setup.origin->labels.emplace_back(key, labels.string(key, {}));
  }
  BERTH_CHECK(document.done());
  BERTH_TRY(setup.sink, make());
  return setup;
}

/// Sends batches, again and again where it has to be.
class Shipping {
 public:
  Shipping(const Options& options, Setup setup) : options_(options), setup_(std::move(setup)), maker_(setup_.rules) {
    limits_ = setup_.sink->limits();
    if (options.batch > 0) limits_.entries = options.batch;
  }

  bool line(std::string text) {
    const auto now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    const std::size_t before = entries_.size();
    maker_.add({.time = now, .text = std::move(text), .sequence = ++lines_}, setup_.origin, Steady::now(), entries_);
    for (std::size_t i = before; i < entries_.size(); ++i) bytes_ += entries_[i].text.size();
    return (entries_.size() < limits_.entries && bytes_ < limits_.bytes) || send();
  }

  bool end() {
    maker_.flush(Steady::time_point::max(), entries_);
    return entries_.empty() || send();
  }

  void tell(bool all) const {
    const json::object told{{"lines", lines_}, {"taken", taken_}, {"refused", refused_}, {"dropped", maker_.dropped()}, {"retries", retries_}, {"reason", reason_},
                            {"all", all}};
    std::printf("%s\n", json::text(told).c_str());
  }

 private:
  bool send() {
    const auto end = Steady::now() + options_.patience;
    while (true) {
      const Delivery delivery = io::on_loop(loop_, setup_.sink->send(entries_));
      if (!delivery.reason.empty()) reason_ = delivery.reason;
      if (delivery.kind == Delivery::Kind::taken) {
        refused_ += delivery.refused;
        taken_ += entries_.size() - delivery.refused;
        entries_.clear();
        bytes_ = 0;
        return true;
      }
      ++retries_;
      const auto wait = std::max(delivery.wait, std::chrono::milliseconds(100));
      if (Steady::now() + wait > end) return false;
      io::on_loop(loop_, io::sleep_for(wait));
    }
  }

  Options options_;
  io::Loop loop_;
  Setup setup_;
  LineMaker maker_;
  BatchLimits limits_;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;
  std::uint64_t lines_ = 0, taken_ = 0, refused_ = 0, retries_ = 0;
  std::string reason_;
};

Result<bool> run(const std::vector<std::string>& words) {
  BERTH_TRY(const Options options, read_options(words));
  BERTH_TRY(Setup setup, read_config(options.config));
  Shipping shipping(options, std::move(setup));
  std::ios::sync_with_stdio(false);
  bool all = true;
  for (std::string line; all && std::getline(std::cin, line);) all = shipping.line(std::move(line));
  all = all && shipping.end();
  shipping.tell(all);
  return all;
}

}  // namespace
}  // namespace berth::ship

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = berth::ship::run({words + 1, words + count});
  if (done) return *done ? 0 : 1;
  std::fprintf(stderr, "berth-ship: %s\n", done.error().message.c_str());
  return 2;
}
