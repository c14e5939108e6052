#include "daemon/options.h"

#include <iostream>

#include <CLI/CLI.hpp>

namespace berth {

std::optional<Options> read_options(int count, char** arguments, Exit& exit) {
  Options options;
  std::string config = BERTH_DEFAULT_CONFIG, keeper, unpack;
  CLI::App app("berthd runs the apps of this node: it takes signed releases from a repository and switches between them, or reverts.\n"
               "It is started by systemd and driven by berth.",
               "berthd");
  app.set_version_flag("--version", "berthd " BERTH_VERSION);
  app.add_option("--config", config, "The configuration")->type_name("FILE")->capture_default_str();
  app.add_option("--keeper", keeper, "The program berth-keeper")->type_name("PATH");
  app.add_option("--unpack", unpack, "The program berth-unpack")->type_name("PATH");
  app.add_flag("--check", options.check, "Read the configuration, say what is wrong with it, and end");
  app.footer("Ends with 0 when it was told to, leaving what runs running; 2 for a wrong call or configuration, 7 when it is not root, 8 when another\n"
             "berthd works with the same state, 1 for anything else.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const bool wrong = app.exit(error, std::cout, std::cerr) != 0;
    exit = wrong ? Exit::usage : Exit::ok;
    return {};
  }
  options.config = config;
  if (!keeper.empty()) options.keeper = keeper;
  if (!unpack.empty()) options.unpack = unpack;
  return options;
}

}  // namespace berth
