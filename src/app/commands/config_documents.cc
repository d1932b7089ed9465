#include "app/commands/config_documents.h"

#include <unistd.h>

#include <cstdio>

#include "app/config/documents.h"
#include "app/config/load.h"

namespace gatehouse::app {
namespace {

int show(const ConfigDocumentOptions& options) {
  const LoadOutcome outcome = load_config(options.config_path);
  std::fputs(to_text(outcome.diagnostics, outcome.source, wants_colour(STDERR_FILENO)).c_str(), stderr);
  if (!outcome.ok()) return 2;
  std::fputs((options.json ? effective_json(*outcome.config) : effective_yaml(*outcome.config)).c_str(), stdout);
  return 0;
}

}  // namespace

int run_config_document(const ConfigDocumentOptions& options) {
  switch (options.document) {
    case ConfigDocument::schema: std::fputs(json_schema().c_str(), stdout); return 0;
    case ConfigDocument::defaults: std::fputs(annotated_defaults().c_str(), stdout); return 0;
    case ConfigDocument::reference: std::fputs(reference_page().c_str(), stdout); return 0;
    case ConfigDocument::show: return show(options);
  }
  return 2;
}

}  // namespace gatehouse::app
