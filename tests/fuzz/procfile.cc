// A Procfile: what is read of it is a spec that keeps every rule, and what `berth new` writes of it is read again.

#include "core/spec/rules.h"
#include "run/new_spec.h"
#include "run/procfile.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto text = fuzz::text_of(data, size);
  const auto lines = run::parse_procfile(text, "Procfile");
  if (!lines) {
    fuzz::must(lines.error().code == Errc::usage && lines.error().message.starts_with("Procfile:"), "a refusal does not say where");
    return 0;
  }
  const auto spec = run::spec_of_procfile("app", *lines);
  fuzz::must(spec.processes.size() == lines->size(), "a process got lost");
  static_cast<void>(run::parse_formation(lines->front().command, spec));
  run::Guess guess{.app = "app", .what = lines->front().command};
  for (const auto& line : *lines) {
    const auto words = run::plain_words(line.command);
    guess.processes.push_back({.name = line.process, .command = words.empty() ? run::by_shell(line.command) : words, .port = 0, .why = line.command});
  }
  const auto again = spec::parse_toml(run::spec_text(guess), "berth.toml");
  // What no spec can say, such as control characters or a process too many, is refused; what is read is what was meant.
  if (!again) return 0;
  for (const auto& process : guess.processes) fuzz::must(again->processes.at(process.name).command == process.command, "another command came out");
  return 0;
}
