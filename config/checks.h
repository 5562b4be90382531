/* checks: what a row of the tables of publishd.yaml's keys cannot say of an object: keys that need or exclude each other,
 * files that must be there. Each gets an object that was read, and tells what is wrong with its place. */
#ifndef PUBLISHD_CHECKS_H
#define PUBLISHD_CHECKS_H
#include "../ir/yaml.h"

void check_socket(struct yaml_reader *r, const struct node *node, void *object);
void check_listener(struct yaml_reader *r, const struct node *node, void *object);
void check_authentication(struct yaml_reader *r, const struct node *node, void *object);
void check_path(struct yaml_reader *r, const struct node *node, void *object);
void check_upstream(struct yaml_reader *r, const struct node *node, void *object);
void check_body_text(struct yaml_reader *r, const struct node *node, void *object);
void check_rule(struct yaml_reader *r, const struct node *node, void *object);
#endif
