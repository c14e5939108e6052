#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "core/ids.h"
#include "run/app_guess.h"

namespace berth::run {
namespace {

constexpr std::uint16_t kPythonPort = 8000;

bool is_python_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// What the app wants to be installed, in lower case.
std::string requirements_of(const fs::path& tree) {
  std::string all;
  for (const char* file : {"requirements.txt", "pyproject.toml", "Pipfile", "setup.cfg", "setup.py"}) all += text_of_file(tree / file) + "\n";
  std::ranges::transform(all, all.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return all;
}

/// The variable that a line at the top of a module sets to what `maker` makes: "app: FastAPI = fastapi.FastAPI(" → "app". Empty for other lines.
std::string variable_made(std::string_view line, std::string_view maker) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos || line.substr(0, 1).find_first_of(" \t#") != std::string_view::npos) return {};
  std::string_view name = line.substr(0, equals), value = line.substr(equals + 1);
  name = name.substr(0, name.find_first_of(" \t:"));
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  const auto bracket = value.find('(');
  if (bracket == std::string_view::npos || !is_variable_name(name)) return {};
  std::string_view called = value.substr(0, bracket);
  if (const auto dot = called.rfind('.'); dot != std::string_view::npos) called.remove_prefix(dot + 1);
  return called == maker ? std::string(name) : std::string();
}

/// "main:app": the module and variable in which an app object is made by `maker`, such as FastAPI.
std::string app_object(const fs::path& tree, std::string_view maker) {
  for (const char* file : {"main.py", "app.py", "server.py", "wsgi.py", "asgi.py", "api.py", "app/main.py", "app/__init__.py", "src/main.py"}) {
    const std::string text = text_of_file(tree / file);
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      const std::string variable = variable_made(line, maker);
      if (variable.empty()) continue;
      std::string module(file, std::string_view(file).size() - 3);
      std::ranges::replace(module, '/', '.');
      if (constexpr std::string_view kPackage = ".__init__"; module.ends_with(kPackage)) module.resize(module.size() - kPackage.size());
      return module + ":" + variable;
    }
  }
  return {};
}

/// The package of Django's settings: the folder with a wsgi.py.
std::string django_project(const fs::path& tree) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(tree, failed), end; !failed && entry != end; entry.increment(failed))
    if (is_python_file(entry->path() / "wsgi.py")) names.push_back(entry->path().filename().string());
  return names.empty() ? std::string() : *std::ranges::min_element(names);
}

std::vector<std::string> by_gunicorn(const std::string& object) { return {"python3", "-m", "gunicorn", "--bind", "0.0.0.0:${PORT}", object}; }

/// The command of the app that this is, and where that comes from.
std::optional<GuessedProcess> python_process(const fs::path& tree, const std::string& requirements) {
  const auto wants = [&requirements](std::string_view library) { return requirements.find(library) != std::string::npos; };
  const auto process = [](std::vector<std::string> command, std::string why) {
    return GuessedProcess{.name = "web", .command = std::move(command), .port = kPythonPort, .why = std::move(why)};
  };
  if (is_python_file(tree / "manage.py")) {
    const std::string project = django_project(tree);
    if (wants("gunicorn") && !project.empty()) return process(by_gunicorn(project + ".wsgi"), "Django, by gunicorn");
    return process({"python3", "manage.py", "runserver", "--noreload", "0.0.0.0:${PORT}"}, "Django's own server, which is for development: add gunicorn to the requirements");
  }
  for (const char* maker : {"FastAPI", "Starlette", "Quart"})
    if (const std::string object = app_object(tree, maker); !object.empty())
      return process({"python3", "-m", "uvicorn", "--host", "0.0.0.0", "--port", "${PORT}", object}, fmt::format("{}, by uvicorn", maker));
  if (const std::string object = app_object(tree, "Flask"); !object.empty()) {
    if (wants("gunicorn")) return process(by_gunicorn(object), "Flask, by gunicorn");
    return process({"python3", "-m", "flask", "--app", object, "run", "--host", "0.0.0.0", "--port", "${PORT}"},
                   "Flask's own server, which is for development: add gunicorn to the requirements");
  }
  for (const char* file : {"main.py", "app.py", "server.py", "run.py", "__main__.py"}) {
    if (!is_python_file(tree / file)) continue;
    auto found = process({"python3", file}, file);
    if (text_of_file(tree / file).find("PORT") == std::string::npos) found.port = 0;
    return found;
  }
  return {};
}

}  // namespace

Result<std::optional<Guess>> guess_python(const fs::path& tree) {
  const std::string requirements = requirements_of(tree);
  auto process = python_process(tree, requirements);
  if (!process) return std::optional<Guess>();
  Guess guess{.app = {}, .what = "a Python app", .processes = {}, .variables = {}, .pre_start = {}, .notes = {}};
  if (process->port == 0) process->name = "main";
  std::error_code ignored;
  for (const char* environment : {".venv", "venv"}) {
    if (!fs::exists(tree / environment / "bin/python3", ignored) || process->command[0] != "python3") continue;
    guess.notes.push_back(fmt::format("{0}/ has a Python with libraries: '. {0}/bin/activate' before 'berth run' makes it the one that is meant", environment));
    break;
  }
  guess.processes.push_back(std::move(*process));
  add_variable(guess, {.name = "PYTHONUNBUFFERED", .preset = "1", .why = "each line is in the log when it is written"});
  return std::optional(std::move(guess));
}

}  // namespace berth::run
