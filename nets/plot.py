def learning_curve(h,p): pass
