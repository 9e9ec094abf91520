#include "hq/core/kept_submit.h"

#include <functional>
#include <utility>

#include "hq/core/text/placeholders.h"

namespace hq {

namespace {

class Hash {
 public:
  template <class T>
  Hash& add(const T& value) {
    sum_ = (sum_ ^ std::hash<T>()(value)) * 0x9e37'79b9'7f4a'7c15ULL;
    sum_ ^= sum_ >> 32;
    return *this;
  }
  [[nodiscard]] size_t value() const { return sum_; }

 private:
  uint64_t sum_ = 0;
};

size_t hash_of(const Arguments& arguments) {
  Hash hash;
  for (const std::string& argument : arguments) hash.add(argument);
  return hash.value();
}

// Of what mostly tells forms apart; the rest is compared.
size_t hash_of(const SubmitForm& form) {
  const TaskDescription& task = form.submit.task;
  Hash hash;
  hash.add(form.submit.submit_dir).add(task.program.cwd).add(task.program.stdin_data);
  hash.add(task.program.stdout_spec.path).add(task.program.stderr_spec.path).add(task.priority);
  for (const auto& [name, value] : task.program.env) hash.add(name).add(value);
  for (const ResourceVariant& variant : task.request.variants) {
    for (const ResourceEntry& entry : variant.entries) hash.add(entry.name).add(entry.amount.scaled);
  }
  return hash.add(form.submit.ids.parts.size()).value();
}

}  // namespace

KeptSubmit::KeptSubmit(std::shared_ptr<const SubmitDescription> submit, JobId job,
                       std::string_view server_uid, SubmitPools& pools) {
  one_range_ = submit->ids.parts.size() == 1;
  if (one_range_) range_ = submit->ids.parts[0];
  // Nobody else has the same, and a copy of it may be large.
  if (submit->is_graph() || submit->entries) {
    own_ = std::move(submit);
    return;
  }
  SubmitForm form{*submit, false, {}};
  if (!submit->templates.empty()) {
    restore_job_paths(form.submit);
    form.names_job = form.submit.log_path == submit->log_path &&
                     resolve_job_paths(form.submit, job, server_uid) == *submit;
    if (form.names_job) {
      form.server_uid = server_uid;
    } else {
      form.submit = *submit;
    }
  }
  Arguments arguments = std::move(form.submit.task.program.args);
  form.submit.task.program.args = {};
  if (one_range_) form.submit.ids = {};
  const size_t hash = hash_of(form);
  form_ = pools.forms.use(std::move(form), hash);
  const size_t arguments_hash = hash_of(arguments);
  arguments_ = pools.arguments.use(std::move(arguments), arguments_hash);
}

std::shared_ptr<const SubmitDescription> KeptSubmit::whole(JobId job) const {
  if (own_) return own_;
  SubmitDescription submit = form_->submit;
  submit.task.program.args = *arguments_;
  if (one_range_) submit.ids.parts = {range_};
  if (form_->names_job) submit = resolve_job_paths(std::move(submit), job, form_->server_uid);
  return std::make_shared<const SubmitDescription>(std::move(submit));
}

}  // namespace hq
