terraform import assent_group.dba dba
