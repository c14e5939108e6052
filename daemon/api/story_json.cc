#include "core/utf8.h"
#include "daemon/api/to_json.h"

namespace berth::api {

boost::json::object to_json(const deploy::Story& story) {
  constexpr std::string_view kAbout[] = {"nothing", "deployment", "instances", "job"};
  boost::json::array instances, jobs, notes, told, last_lines, lines, advice;
  for (const auto& one : story.notes) notes.push_back(boost::json::value(as_utf8(one)));
  for (const auto& one : story.instances) instances.push_back(to_json(one));
  for (const auto& one : story.jobs) jobs.push_back(to_json(one));
  for (const auto& one : story.told)
    told.push_back({{"at", one.at}, {"until", one.until}, {"times", one.times}, {"kind", one.kind}, {"text", as_utf8(one.text)}});
  for (const auto& line : story.lines) {
    last_lines.push_back(boost::json::value(as_utf8(line.text)));
    lines.push_back({{"at", line.at}, {"text", as_utf8(line.text)}});
  }
  for (const auto& line : story.advice) advice.push_back(boost::json::value(as_utf8(line)));
  return {{"app", story.app},
          {"active", story.active},
          {"health", story.health},
          {"since", story.since},
          {"stopped", as_utf8(story.stopped)},
          {"about", kAbout[static_cast<std::size_t>(story.about)]},
          {"why", as_utf8(story.why)},
          {"over", story.over && story.about == deploy::Story::About::deployment},
          {"deployment", story.deployment ? boost::json::value(to_json(*story.deployment)) : boost::json::value(nullptr)},
          {"instances", std::move(instances)},
          {"jobs", std::move(jobs)},
          {"notes", std::move(notes)},
          {"events", std::move(told)},
          {"lines_of", story.lines_of},
          {"last_lines", std::move(last_lines)},
          {"lines", std::move(lines)},
          {"next", std::move(advice)}};
}

}  // namespace berth::api
