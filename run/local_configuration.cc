#include "run/local_configuration.h"

#include <fmt/core.h>

#include "daemon/secrets/reference.h"

namespace berth::run {
namespace {

namespace fs = std::filesystem;

/// A required variable without a value, and what to do about it.
struct Missing {
  std::string name, why, remedy;
};

/// Why a variable that berth gives itself can be told in no other way.
std::string whose_own(const std::string& name) {
  if (name == "PORT") return "PORT comes from berth.toml ('port' or 'socket' of a process) or --port";
  return fmt::format("{} has a value of berth's own, and takes no other", name);
}

/// Finds the values, one variable after the other.
class Finder {
 public:
  Finder(const spec::AppSpec& spec, const LocalSources& sources) : spec_(spec), sources_(sources) {}

  Result<LocalConfiguration> all() {
    for (const auto& [name, variable] : spec_.variables) find(name, variable);
    if (!missing_.empty()) return fail(Errc::usage, complaint());
    note_strangers();
    note_hidden();
    return std::move(found_);
  }

 private:
  bool take(const std::map<std::string, std::string>& from, const std::string& name, bool secret) {
    const auto value = from.find(name);
    if (value == from.end()) return false;
    put(name, value->second, secret);
    return true;
  }
  void put(const std::string& name, const std::string& value, bool secret) {
    if (secret) found_.secrets.emplace(name, value);
    else found_.variables.emplace(name, value);
  }

  void find(const std::string& name, const spec::Variable& variable) {
    const auto reference = sources_.environment.secrets.find(name);
    const bool secret = variable.secret || reference != sources_.environment.secrets.end();
    if (take(sources_.given, name, secret) || take(sources_.dotenv, name, secret)) return;
    if (const auto text = sources_.environment.variables.find(name); text != sources_.environment.variables.end()) return put(name, text->second.value, false);
    const bool resolved = secret && resolve(name);
    if (resolved) return;
    if (variable.preset && !variable.secret) return put(name, *variable.preset, false);
    // A reference that is named and leads nowhere is as good as a requirement: a node would not start the app.
    if (variable.required || reference != sources_.environment.secrets.end()) miss(name, variable, secret);
  }

  bool resolve(const std::string& name) {
    const publish::Environment& from = sources_.for_secrets ? *sources_.for_secrets : sources_.environment;
    if (const auto text = from.variables.find(name); sources_.for_secrets && text != from.variables.end()) return put(name, text->second.value, true), true;
    const auto reference = from.secrets.find(name);
    if (reference == from.secrets.end()) return false;
    const std::string& text = reference->second.value;
    secrets::Sources allowed;
    // Whoever runs this wrote it; on a node it is the node's owner who allows programs.
    if (constexpr std::string_view kCommand = "command:"; text.starts_with(kCommand)) allowed.commands = {text.substr(kCommand.size(), text.find(' ') - kCommand.size())};
    const auto value = secrets::resolve(text, allowed);
    if (!value) {
      unresolved_[name] = fmt::format("{}, and {}", text, value.error().message);
      return false;
    }
    put(name, std::string(value->view()), true);
    return true;
  }

  void miss(const std::string& name, const spec::Variable& variable, bool secret) {
    std::string why;
    if (secret) why = "a secret";
    if (!variable.description.empty()) why += (why.empty() ? "" : "; ") + variable.description;
    if (const auto tried = unresolved_.find(name); tried != unresolved_.end()) why += fmt::format("{}{}", why.empty() ? "" : "; ", tried->second);
    std::string remedy = fmt::format("write {}=… into {}", name, sources_.dotenv_file.string());
    const bool is_for_all = !secret && !sources_.environment.name.empty();
    if (is_for_all) remedy += fmt::format(", or {} = \"…\" into {}", name, sources_.environment.settings_file().string());
    missing_.push_back({.name = name, .why = std::move(why), .remedy = std::move(remedy)});
  }

  std::string complaint() const {
    std::string text = missing_.size() == 1 ? fmt::format("{} requires a variable that has no value here:", spec_.app)
                                            : fmt::format("{} requires {} variables that have no value here:", spec_.app, missing_.size());
    for (const Missing& one : missing_) text += fmt::format("\n  {}{}: {}", one.name, one.why.empty() ? "" : " (" + one.why + ")", one.remedy);
    return text;
  }

  void note_strangers() {
    std::string strangers;
    for (const auto& [name, value] : sources_.dotenv) {
      if (spec_.variables.contains(name)) continue;
      const bool is_reserved = spec::is_reserved_variable(name);
      if (is_reserved) found_.notes.push_back(fmt::format("{}: {}", sources_.dotenv_file.string(), whose_own(name)));
      else strangers += (strangers.empty() ? "" : ", ") + name;
    }
    if (!strangers.empty())
      found_.notes.push_back(fmt::format("{} has {}, which berth.toml does not declare: the app is not given it; [env.NAME] declares a variable", sources_.dotenv_file.string(), strangers));
  }

  /// What a variable is in the environment, or by its default; null where it is a secret, or nothing.
  const std::string* meant(const std::string& name) const {
    const spec::Variable& variable = spec_.variables.at(name);
    if (variable.secret || sources_.environment.secrets.contains(name)) return nullptr;
    if (const auto text = sources_.environment.variables.find(name); text != sources_.environment.variables.end()) return &text->second.value;
    return variable.preset ? &*variable.preset : nullptr;
  }

  /// Where another environment, or a release, is to be seen here, what has the place of its values is told.
  void note_hidden() {
    if (!sources_.for_secrets) return;
    std::string by_file, by_option;
    for (const auto& [name, variable] : spec_.variables) {
      const auto value = found_.variables.find(name);
      const std::string* other = meant(name);
      if (other == nullptr || value == found_.variables.end() || value->second == *other) continue;
      std::string& names = sources_.given.contains(name) ? by_option : by_file;
      names += (names.empty() ? "" : ", ") + name;
    }
    const std::string& environment = sources_.environment.name;
    if (!by_file.empty()) found_.notes.push_back(fmt::format("{} counts more than {} for {}: without it there the app has the value of {}", sources_.dotenv_file.string(), environment, by_file, environment));
    if (!by_option.empty()) found_.notes.push_back(fmt::format("--set counts more than {} for {}", environment, by_option));
  }

  const spec::AppSpec& spec_;
  const LocalSources& sources_;
  LocalConfiguration found_;
  std::vector<Missing> missing_;
  std::map<std::string, std::string> unresolved_;  // why
};

/// What of an environment a release could not have, but for what is missing, which may be said elsewhere here.
Result<void> check_declared(const publish::Environment& environment, spec::AppSpec spec) {
  for (auto& [name, variable] : spec.variables) variable.required = false;
  BERTH_CHECK(publish::configure(environment, spec));
  return {};
}

}  // namespace

Result<LocalConfiguration> configure_locally(const spec::AppSpec& spec, const LocalSources& sources) {
  if (!sources.environment.name.empty()) BERTH_CHECK(check_declared(sources.environment, spec));
  for (const auto& [name, value] : sources.given)
    if (!spec.variables.contains(name) && spec::is_reserved_variable(name)) return fail(Errc::usage, fmt::format("--set {}: {}", name, whose_own(name)));
  for (const auto& [name, value] : sources.given)
    if (!spec.variables.contains(name))
      return fail(Errc::usage, fmt::format("--set {}: {} does not declare it; [env.{}] in berth.toml does", name, spec.app, name));
  return Finder(spec, sources).all();
}

}  // namespace berth::run
