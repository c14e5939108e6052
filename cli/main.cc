#include <algorithm>
#include <string>
#include <vector>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/completion.h"
#include "cli/man.h"
#include "cli/parse.h"
#include "cli/verbs.h"
#include "core/build_info/build_info.h"

/// `berth`: builds and publishes releases, and drives the berthd of this node.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  berth::cli::Console console = berth::cli::make_console();
  const berth::cli::Verb root = berth::cli::berth_program(console);
  const bool asks_version = std::ranges::count_if(arguments, [](const std::string& one) { return one == "--version" || one == "version"; }) == 1;
  const bool asks_json = std::ranges::count(arguments, "--json") == 1;
  if (asks_version && arguments.size() == (asks_json ? 2u : 1u)) {
    if (asks_json) console.document(boost::json::object{{"version", BERTH_VERSION}, {"source", berth::source_version()}});
    else console.line(berth::version_text("berth"));
    return static_cast<int>(console.ended(berth::Exit::ok));
  }
  if (!arguments.empty() && arguments.front() == "complete") return berth::cli::complete(root, console, {arguments.begin() + 1, arguments.end()});
  if (arguments == std::vector<std::string>{"--man"}) {
    console.print(berth::cli::man_page(root, BERTH_VERSION));
    return static_cast<int>(console.ended(berth::Exit::ok));
  }
  return berth::cli::run(root, console, arguments);
}
